import type { ConnectionLimits } from "./connection-options.ts";

/** Bounds of one client's connection and of those it opens. */
export interface DownstreamLimits {
  readonly client: ConnectionLimits;
  readonly replica: ConnectionLimits;
  readonly solveBytes: number;
  readonly heldBytes: number;
  readonly heldStreams: number;
  /** Time for a call that says in its body where it belongs to arrive. */
  readonly requestTimeoutMs: number;
  /** For connecting to a replica, TLS and its SETTINGS together. */
  readonly connectTimeoutMs: number;
  /** How long a replica that fails its health checks may be silent while it has calls. 0: for ever. */
  readonly frozenAfterMs: number;
  /** For the client's preface and SETTINGS. */
  readonly handshakeTimeoutMs: number;
}
