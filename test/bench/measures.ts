import type { Latency } from "./load/load.ts";
import type { TargetName } from "./targets/target.ts";

/** What kinds of load there are. */
export type MeasureKind =
  /** Streams that carry as much as they can. */
  | "bulk"
  /** A closed loop of small calls. */
  | "unary"
  /** Small calls at a fixed rate, whose latency counts from when each was due. */
  | "paced"
  /** Streams on which the replica now and then says something small, as progress of builds is told. */
  | "status"
  /** Connections that are opened with a client certificate, one after the other. */
  | "connects"
  /** Connections that stay open and do nothing. */
  | "idle"
  /** Whole builds by buildx. */
  | "build";

/** Which of a target's ports is connected to. */
export type EntranceName = "cleartext" | "tls" | "mtls";

/** What is measured. */
export interface Measure {
  readonly name: MeasureName;
  readonly kind: MeasureKind;
  readonly entrance: EntranceName;
  /** Of bulk. */
  readonly direction?: "up" | "down";
  /** Of bulk; default one of each. */
  readonly connections?: number;
  readonly streams?: number;
  /** Targets that have no part in it. */
  readonly without: readonly TargetName[];
}

/** Who speaks no HTTP/2 and passes bytes on as they come. */
const RELAYS = ["nginx-stream", "haproxy-tcp"] as const;

const ALL: readonly TargetName[] = [];

/** Of many streams at once, and of what only an HTTP/2 proxy does. */
const NOT_RELAYS: readonly TargetName[] = RELAYS;

/** Of what a proxy needs for itself. */
const NOT_DIRECT: readonly TargetName[] = ["direct"];

/** Of whole builds: directly, through the gateway, and through the least that can stand between. */
const NOT_PEERS: readonly TargetName[] = ["nginx", "haproxy", "haproxy-tcp"];

export const MEASURE_NAMES = [
  "bulk-up",
  "bulk-down",
  "bulk-up-4x2",
  "bulk-down-4x2",
  "unary",
  "paced-unary",
  "status-streams",
  "tls-bulk-up",
  "tls-bulk-down",
  "tls-unary",
  "mtls-connects",
  "idle",
  "tls-idle",
  "build-1gb-context",
  "build-1gb-export",
] as const;

export type MeasureName = (typeof MEASURE_NAMES)[number];

const FOUR_BY_TWO = { connections: 4, streams: 2 };

export const MEASURES: readonly Measure[] = [
  { name: "bulk-up", kind: "bulk", entrance: "cleartext", direction: "up", without: ALL },
  { name: "bulk-down", kind: "bulk", entrance: "cleartext", direction: "down", without: ALL },
  { name: "bulk-up-4x2", kind: "bulk", entrance: "cleartext", direction: "up", ...FOUR_BY_TWO, without: NOT_RELAYS },
  {
    name: "bulk-down-4x2",
    kind: "bulk",
    entrance: "cleartext",
    direction: "down",
    ...FOUR_BY_TWO,
    without: NOT_RELAYS,
  },
  { name: "unary", kind: "unary", entrance: "cleartext", without: ALL },
  { name: "paced-unary", kind: "paced", entrance: "cleartext", without: NOT_RELAYS },
  { name: "status-streams", kind: "status", entrance: "cleartext", without: ALL },
  { name: "tls-bulk-up", kind: "bulk", entrance: "tls", direction: "up", without: ALL },
  { name: "tls-bulk-down", kind: "bulk", entrance: "tls", direction: "down", without: ALL },
  { name: "tls-unary", kind: "unary", entrance: "tls", without: ALL },
  { name: "mtls-connects", kind: "connects", entrance: "mtls", without: NOT_DIRECT },
  { name: "idle", kind: "idle", entrance: "cleartext", without: NOT_DIRECT },
  { name: "tls-idle", kind: "idle", entrance: "tls", without: NOT_DIRECT },
  { name: "build-1gb-context", kind: "build", entrance: "cleartext", without: NOT_PEERS },
  { name: "build-1gb-export", kind: "build", entrance: "cleartext", without: NOT_PEERS },
];

/** The shape of the closed loop in the unary measures. What batches gains from few connections with many calls. */
export interface UnaryShape {
  readonly connections: number;
  /** Calls that are open at once on each connection. */
  readonly concurrency: number;
}

/** One target, one measure, one round. What does not apply is absent. */
export interface Figures {
  /** Bytes, calls, messages, connections or builds per second. */
  readonly perSecond?: number | undefined;
  /** CPU seconds of the proxy per byte, call, message, connection or build; absent without a proxy. */
  readonly cpuSecondsEach?: number | undefined;
  /** The same of generator and replica together: the larger beside the proxy's, the more they are what limits. */
  readonly endsCpuSecondsEach?: number | undefined;
  /** Cores that were busy with something else meanwhile: far from 0 the figures are doubtful. */
  readonly otherBusyCores?: number | undefined;
  readonly latency?: Latency | undefined;
  /** Memory of the proxy for each connection that is open. */
  readonly bytesEach?: number | undefined;
}
