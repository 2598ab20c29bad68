import type { Latency } from "./load/load.ts";

/** What is measured. Bulk is one stream on one connection; unary a closed loop of small calls. */
export interface Measure {
  readonly name: MeasureName;
  readonly kind: "bulk" | "unary";
  readonly direction: "up" | "down" | undefined;
  readonly isTls: boolean;
  /** The gateway's throughput over a peer's that the project wants to reach at least. */
  readonly aims: Readonly<Partial<Record<"nginx" | "haproxy", number>>>;
}

const CLEARTEXT_BULK_AIMS = { haproxy: 1.25, nginx: 0.7 };
const UNARY_AIMS = { haproxy: 1.5, nginx: 1.5 };
const TLS_BULK_AIMS = { haproxy: 1.0 };

export const MEASURE_NAMES = [
  "cleartext-bulk-up",
  "cleartext-bulk-down",
  "cleartext-unary",
  "tls-bulk-up",
  "tls-bulk-down",
  "tls-unary",
] as const;

export type MeasureName = (typeof MEASURE_NAMES)[number];

export const MEASURES: readonly Measure[] = [
  { name: "cleartext-bulk-up", kind: "bulk", direction: "up", isTls: false, aims: CLEARTEXT_BULK_AIMS },
  { name: "cleartext-bulk-down", kind: "bulk", direction: "down", isTls: false, aims: CLEARTEXT_BULK_AIMS },
  { name: "cleartext-unary", kind: "unary", direction: undefined, isTls: false, aims: UNARY_AIMS },
  { name: "tls-bulk-up", kind: "bulk", direction: "up", isTls: true, aims: TLS_BULK_AIMS },
  { name: "tls-bulk-down", kind: "bulk", direction: "down", isTls: true, aims: TLS_BULK_AIMS },
  { name: "tls-unary", kind: "unary", direction: undefined, isTls: true, aims: {} },
];

/** The shape of the closed loop in the unary measures. What batches gains from few connections with many calls. */
export interface UnaryShape {
  readonly connections: number;
  /** Calls that are open at once on each connection. */
  readonly concurrency: number;
}

/** One target, one measure, one round. */
export interface Figures {
  /** Bytes or calls per second. */
  readonly perSecond: number;
  /** CPU seconds of the proxy per byte or call; absent without a proxy. */
  readonly cpuSecondsEach: number | undefined;
  /** The same of generator and replica together: the larger beside the proxy's, the more they are what limits. */
  readonly endsCpuSecondsEach: number;
  /** Cores that were busy with something else meanwhile: far from 0 the figures are doubtful. */
  readonly otherBusyCores: number;
  /** Unary only. */
  readonly latency: Latency | undefined;
}
