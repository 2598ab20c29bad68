/** What an RPC is to the router. */
export type RpcKind =
  /** Starts a build, and names its ref and sessions in its body. */
  | "solve"
  /** Progress of a build; names the ref in its body. */
  | "status"
  /** The client's end of a build; names the session in a header. */
  | "session"
  /** A call of a running build's frontend; names the build in a header. */
  | "bridge"
  /** Asks for content by its digest, which its body names. */
  | "content"
  /** Answered for the whole fleet by the control façade. */
  | "facade"
  /** Anything else: any replica may know it. */
  | "other";

const BRIDGE_PREFIX = "/moby.buildkit.v1.frontend.LLBBridge/";

const KIND_BY_PATH: ReadonlyMap<string, RpcKind> = new Map([
  ["/moby.buildkit.v1.Control/Solve", "solve"],
  ["/moby.buildkit.v1.Control/Status", "status"],
  ["/moby.buildkit.v1.Control/Session", "session"],
  ["/containerd.services.content.v1.Content/Info", "content"],
  ["/containerd.services.content.v1.Content/Read", "content"],
]);

/** Call a frontend makes to learn what the daemon can do; answered from memory while its build is held. */
export const BRIDGE_PING = `${BRIDGE_PREFIX}Ping`;

/** Call that ends a client-side frontend; a client waits for its answer even after a failure. */
export const BRIDGE_RETURN = `${BRIDGE_PREFIX}Return`;

/** Tell what an RPC is by its full path: Control and Content both have an `Info`. */
export function rpcKind(path: string, facadePaths: ReadonlySet<string>): RpcKind {
  if (facadePaths.has(path)) return "facade";
  return KIND_BY_PATH.get(path) ?? (path.startsWith(BRIDGE_PREFIX) ? "bridge" : "other");
}
