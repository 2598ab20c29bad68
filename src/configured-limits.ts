import type { Config } from "./config/schema.ts";
import type { DownstreamLimits } from "./dataplane/downstream-limits.ts";

/** The bounds of clients' connections, as the data plane takes them. `frozenAfterMs`: of `health`; 0 where replicas are not checked. */
export function downstreamLimits(limits: Config["limits"], frozenAfterMs: number): DownstreamLimits {
  const shared = {
    controlFramesPerSecond: limits.controlFramesPerSecond,
    resetsPerSecond: limits.resetsPerSecond,
    streams: limits.streams === 0 ? Number.POSITIVE_INFINITY : limits.streams,
    backlogBytes: limits.backlogBytes,
    headersTimeoutMs: limits.headersTimeout,
  };
  return {
    client: { ...shared, headerListBytes: limits.headerListBytes },
    replica: { ...shared, headerListBytes: limits.replicaHeaderListBytes },
    solveBytes: limits.solveBytes,
    heldBytes: limits.heldBytes,
    heldStreams: limits.heldStreams,
    requestTimeoutMs: limits.requestTimeout,
    connectTimeoutMs: limits.connectTimeout,
    frozenAfterMs,
    handshakeTimeoutMs: limits.handshakeTimeout,
  };
}
