import { blameSetting } from "./base/blame-setting.ts";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./config/schema.ts";
import type { ServiceName } from "./config/service-values.ts";
import type { ApiServer } from "./kubernetes/api-request.ts";
import { type AccessOptions, openAccess } from "./kubernetes/open-access.ts";
import type { ReplicaService } from "./replicas/discovery/kubernetes.ts";

/** The Kubernetes cluster that is asked about replicas. */
export interface Cluster {
  readonly server: ApiServer;
  /** Namespace of what is given without one. */
  readonly namespace: string | undefined;
  close(): void;
}

/**
 * Open the way to the API server of `kubernetes`. Nothing is asked of it yet.
 *
 * Rejects with an Error that names the setting where a file is missing or of no use.
 */
export async function openCluster({ kubernetes }: Pick<Config, "kubernetes">, clock: Clock): Promise<Cluster> {
  const access = await blameSetting("kubernetes", () => openAccess(accessOptions(kubernetes)));
  return {
    server: { access, clock },
    namespace: kubernetes.namespace ?? access.namespace,
    close: () => access.close(),
  };
}

/** A Service as discovery follows it. Throws an Error where nothing says what its namespace is. */
export function replicaService(
  { namespace: given, name, port }: ServiceName,
  { namespace: own }: Pick<Cluster, "namespace">,
): ReplicaService {
  const namespace = given ?? own;
  if (namespace === undefined) {
    throw new Error(`replicasService: no namespace for ${name}: write namespace/${name}, or set kubernetes.namespace`);
  }
  if (port === undefined) return { namespace, name, port: { t: "usual" } };
  return { namespace, name, port: typeof port === "number" ? { t: "number", port } : { t: "name", name: port } };
}

function accessOptions({ kubeconfig, context, server, tokenFile, caFile }: Config["kubernetes"]): AccessOptions {
  if (kubeconfig !== undefined) return { t: "kubeconfig", kubeconfig, ...(context !== undefined && { context }) };
  if (server === undefined) return { t: "in-cluster" };
  return {
    t: "explicit",
    server,
    ...(tokenFile !== undefined && { tokenFile }),
    ...(caFile !== undefined && { caFile }),
  };
}
