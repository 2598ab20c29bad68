/** Where a load goes: always 127.0.0.1. */
export interface LoadTarget {
  readonly port: number;
  readonly isTls: boolean;
}

/** A load that runs until it is stopped. */
export interface Load {
  /** What has been achieved so far: calls, or bytes received. */
  count(): number;
  /** Why the load cannot go on, if so. */
  failure(): Error | undefined;
  /** Of the calls since it was last asked; undefined where there are no calls. */
  takeLatency(): Latency | undefined;
  /** Finish what is open, verify it, close the connections. Rejects when something got lost or failed. */
  stop(): Promise<void>;
}

/** Latency of calls, in microseconds. */
export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}
