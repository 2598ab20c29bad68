import { access as canAccess } from "node:fs/promises";
import { hostPort } from "../base/address.ts";
import { readBounded } from "../base/bounded-file.ts";
import type { KubernetesAccess } from "./access.ts";
import type { KubeconfigAccessOptions } from "./kubeconfig-access.ts";
import { openTokenAccess, type TokenAccessOptions } from "./token-access.ts";

/** A namespace has at most 63 characters (RFC 1123, label); a line feed may follow. */
const MAX_NAMESPACE_BYTES = 256;

/** The way to an API server. */
export type AccessOptions =
  | ({ readonly t: "kubeconfig" } & KubeconfigAccessOptions)
  | ({ readonly t: "explicit" } & TokenAccessOptions)
  /** That of the cluster that this process runs in. */
  | { readonly t: "in-cluster" };

/** What a kubelet gives every container (kubernetes.io, "Accessing the Kubernetes API from a Pod"). */
export interface PodSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the service account's files are. */
  readonly folder: string;
}

const THIS_POD: PodSurroundings = { env: process.env, folder: "/var/run/secrets/kubernetes.io/serviceaccount" };

/**
 * Open the way to an API server. Nothing is asked of it yet.
 *
 * Rejects with an Error that says what is missing.
 */
export async function openAccess(options: AccessOptions, pod: PodSurroundings = THIS_POD): Promise<KubernetesAccess> {
  switch (options.t) {
    case "kubeconfig": {
      const { openKubeconfigAccess } = await import("./kubeconfig-access.ts");
      return openKubeconfigAccess(options);
    }
    case "explicit":
      return openTokenAccess(options);
    case "in-cluster":
      return openOwnCluster(pod);
  }
}

async function openOwnCluster({ env, folder }: PodSurroundings): Promise<KubernetesAccess> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) {
    throw new Error("not in a cluster (KUBERNETES_SERVICE_HOST is not set): give kubernetes.kubeconfig or .server");
  }
  const tokenFile = `${folder}/token`;
  await canAccess(tokenFile).catch((cause: unknown) => {
    throw new Error(`no service account token (is automountServiceAccountToken off?)`, { cause });
  });
  const file = await readBounded(`${folder}/namespace`, MAX_NAMESPACE_BYTES);
  const namespace = file.t === "read" ? file.bytes.toString("utf8").trim() : "";
  return await openTokenAccess({
    server: `https://${hostPort(host, Number(port))}`,
    tokenFile,
    caFile: `${folder}/ca.crt`,
    ...(namespace !== "" && { namespace }),
  });
}
