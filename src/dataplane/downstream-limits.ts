import type { ConnectionLimits } from "./connection-options.ts";

/** Bounds of one client's connection and of those it opens. */
export interface DownstreamLimits {
  readonly client: ConnectionLimits;
  readonly replica: ConnectionLimits;
  readonly solveBytes: number;
  readonly heldBytes: number;
  readonly heldStreams: number;
  readonly connectTimeoutMs: number;
  /** For the client's preface and SETTINGS. */
  readonly handshakeTimeoutMs: number;
}
