import type { RequestOptions } from "node:https";
import { dirname, resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import type { Credentials, KubernetesAccess } from "./access.ts";

/** A kubeconfig file, and which of its contexts to use. */
export interface KubeconfigAccessOptions {
  readonly kubeconfig: string;
  /** Default: the file's current one. */
  readonly context?: string;
}

const MAX_FILE_BYTES = 4 << 20;

/**
 * Access as a kubeconfig file describes it: tokens, client certificates, exec
 * plugins, OpenID Connect and proxies. Read again when the server refuses the
 * credentials.
 *
 * Rejects with an Error that says what is wrong with the file. The package that
 * does the work takes 0.4 s and 70 MiB to load (docs/architecture.md): import this file only
 * where there is such a file.
 */
export async function openKubeconfigAccess(options: KubeconfigAccessOptions): Promise<KubernetesAccess> {
  const path = resolve(options.kubeconfig);
  let loading: Promise<KubeConfig> | undefined;
  const load = (): Promise<KubeConfig> => {
    loading ??= loadKubeconfig(path, options.context).catch((reason: unknown) => {
      loading = undefined;
      throw reason;
    });
    return loading;
  };
  const config = await load();
  const server = new URL(config.getCurrentCluster()!.server);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return {
    server,
    namespace,
    async credentials() {
      const request: RequestOptions = {};
      await (await load()).applyToHTTPSOptions(request);
      return toCredentials(request);
    },
    forget() {
      loading = undefined;
    },
    close: () => {},
  };
}

async function loadKubeconfig(path: string, context: string | undefined): Promise<KubeConfig> {
  const file = await readBounded(path, MAX_FILE_BYTES);
  if (file.t !== "read") throw new Error(`${path}: ${faultOf(file)}`);
  const text = file.bytes.toString("utf8");
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(path));
  } catch (cause) {
    throw new Error(`not a kubeconfig file: ${path}`, { cause });
  }
  const name = context ?? config.getCurrentContext();
  if (!name) throw new Error(`no current context in ${path}: name one (kubernetes.context)`);
  if (!config.getContextObject(name)) {
    const names = config.getContexts().map((known) => known.name);
    throw new Error(`no context ${JSON.stringify(name)} in ${path}: there are ${names.join(", ") || "none"}`);
  }
  config.setCurrentContext(name);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || !URL.canParse(server)) {
    throw new Error(`context ${JSON.stringify(name)} in ${path} leads to no API server`);
  }
  addTokenFile(config, text, dirname(path));
  return config;
}

/** The package does not know `users[].user.tokenFile` (client-go, clientcmd/api/v1 types.go), but can read such files. */
function addTokenFile(config: KubeConfig, text: string, folder: string): void {
  const user = config.getCurrentUser();
  if (!user) return;
  const { users = [] } = parse(text) as { users?: { name?: string; user?: { tokenFile?: string } }[] };
  const tokenFile = users.find(({ name }) => name === user.name)?.user?.tokenFile;
  if (tokenFile === undefined) return;
  Object.assign(user, { authProvider: { name: "tokenFile", config: { tokenFile: resolve(folder, tokenFile) } } });
}

function toCredentials({ headers = {}, ...request }: RequestOptions): Credentials {
  // A token that was read from a file ends with the file's last line break.
  const trimmed = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, typeof value === "string" ? value.trim() : String(value)]],
  );
  return { ...request, headers: Object.fromEntries(trimmed) } as Credentials;
}
