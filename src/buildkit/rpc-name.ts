/** Services whose methods are all meant by one name. */
const SERVICES: ReadonlyMap<string, string> = new Map([
  ["moby.buildkit.v1.frontend.LLBBridge", "LLBBridge"],
  ["containerd.services.content.v1.Content", "Content"],
  ["opentelemetry.proto.collector.trace.v1.TraceService", "TraceService"],
  ["grpc.health.v1.Health", "Health"],
  ["grpc.reflection.v1.ServerReflection", "ServerReflection"],
  ["grpc.reflection.v1alpha.ServerReflection", "ServerReflection"],
]);

const CONTROL = "moby.buildkit.v1.Control";

/** Names that {@link rpcName} gives to what BuildKit serves, and what {@link historyUpdateName} adds. */
export const RPC_NAMES = [
  "Solve",
  "Status",
  "Session",
  "ListWorkers",
  "Info",
  "DiskUsage",
  "Prune",
  "ListenBuildHistory",
  "UpdateBuildHistory",
  "UpdateBuildHistory.Pin",
  "UpdateBuildHistory.Delete",
  "UpdateBuildHistory.Finalize",
  "LLBBridge",
  "Content",
  "TraceService",
  "Health",
  "ServerReflection",
] as const;

/**
 * The short name of an RPC by its full path: a method of Control by its own
 * name, all methods of another service of BuildKit's by the service's; anything
 * else is its path.
 */
export function rpcName(path: string): string {
  const [, service = "", method = ""] = /^\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (service === CONTROL) return method;
  return SERVICES.get(service) ?? path;
}

/** The RPC by which a build's record is pinned, deleted or finalized. */
export const UPDATE_HISTORY = `/${CONTROL}/UpdateBuildHistory`;
