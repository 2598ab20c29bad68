import { type Cancel, systemClock } from "../base/clock.ts";
import type { KnownFlag } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { openAccess } from "../kubernetes/open-access.ts";
import { followChanges } from "../trust/follow-changes.ts";
import {
  looksLikeObject,
  type ObjectOutcome,
  type ObjectSource,
  objectSignature,
  readObject,
  readObjectSource,
} from "../trust/object-source.ts";
import { type CommandContext, PROGRAM } from "./command.ts";
import type { HelpRow } from "./help.ts";
import { describeStartError } from "./start-error.ts";

/** The flags that say which API server is asked for ConfigMaps and Secrets. */
export const CLUSTER_FLAGS: readonly KnownFlag[] = ["--kubeconfig", "--context"].map((flag) => ({
  flag,
  isRepeatable: false,
}));

/** What {@link CLUSTER_FLAGS} are, for a help text. */
export const CLUSTER_HELP: readonly HelpRow[] = [
  {
    term: "--kubeconfig FILE",
    lines: ["How to reach the API server from outside a cluster. Default: the pod's own access."],
  },
  { term: "--context NAME", lines: ["Context of that file. Default: its current one."] },
];

/** An object is asked for again after this time. A kubelet takes a minute to bring a change into a mounted one. */
const ASK_EVERY_MS = 10_000;

/** The way to ask for ConfigMaps and Secrets. */
export interface TrustCluster {
  read(source: ObjectSource): Promise<ObjectOutcome>;
  /** Hear when one of these has changed. */
  follow(sources: readonly ObjectSource[], onChange: () => Promise<void>): Promise<Cancel>;
  close(): void;
}

/** Read the values of a flag that may name objects. What is none is a file. */
export function readObjects(
  flag: string,
  texts: readonly string[],
): { readonly objects: readonly ObjectSource[]; readonly problems: readonly Problem[] } {
  const objects: ObjectSource[] = [];
  const problems: Problem[] = [];
  for (const text of texts.filter(looksLikeObject)) {
    const object = readObjectSource(text);
    if (object) objects.push(object);
    else {
      const message = `not an object: ${JSON.stringify(text)} (write configmap:namespace/name or configmap:namespace/name/key)`;
      problems.push({ subject: flag, message });
    }
  }
  return { objects, problems };
}

/** What is wrong with a command line that names objects and no way to ask for them. */
export function clusterProblems(
  values: ReadonlyMap<string, readonly string[]>,
  objects: readonly ObjectSource[],
  env: CommandContext["env"],
): readonly Problem[] {
  const file = values.get("--kubeconfig")?.[0];
  if (values.has("--context") && file === undefined) {
    return [{ subject: "--context", message: "needs --kubeconfig" }];
  }
  if (objects.length === 0 || file !== undefined || env.KUBERNETES_SERVICE_HOST) return [];
  return [{ subject: "--kubeconfig", message: "is needed outside a cluster (KUBERNETES_SERVICE_HOST is not set)" }];
}

/** Open the way to the API server; undefined where it cannot be, which has been told. Nothing is asked of it yet. */
export async function openTrustCluster(
  values: ReadonlyMap<string, readonly string[]>,
  { complain }: CommandContext,
): Promise<TrustCluster | undefined> {
  const [kubeconfig, name] = [values.get("--kubeconfig")?.[0], values.get("--context")?.[0]];
  const options =
    kubeconfig === undefined
      ? { t: "in-cluster" as const }
      : { t: "kubeconfig" as const, kubeconfig, ...(name !== undefined && { context: name }) };
  try {
    const access = await openAccess(options);
    return new AskedCluster({ access, clock: systemClock });
  } catch (reason) {
    complain(`${PROGRAM}: cannot ask the API server: ${describeStartError(reason)}\n`);
    return undefined;
  }
}

class AskedCluster implements TrustCluster {
  readonly #server: ApiServer;
  readonly #ending = new AbortController();

  constructor(server: ApiServer) {
    this.#server = server;
  }

  read(source: ObjectSource): Promise<ObjectOutcome> {
    return readObject(this.#server, source, this.#ending.signal);
  }

  follow(sources: readonly ObjectSource[], onChange: () => Promise<void>): Promise<Cancel> {
    const looks = sources.map((source) => objectSignature(this.#server, source, this.#ending.signal));
    const look = async () => (await Promise.all(looks.map((one) => one()))).join();
    return followChanges({ look, intervalMs: ASK_EVERY_MS, clock: this.#server.clock, onChange });
  }

  close(): void {
    this.#ending.abort();
    this.#server.access.close();
  }
}
