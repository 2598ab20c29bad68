import type { Figures, MeasureKind } from "./measures.ts";

/** A figure in the report. */
export type FigureName = "rate" | "cpu" | "endsCpu" | "p50Us" | "p99Us" | "memory";

/** How a figure is shown for one kind of measure. */
export interface Unit {
  /** Heads its column. */
  readonly head: string;
  readonly digits: number;
  /** In this unit. */
  readonly read: (figures: Figures) => number | undefined;
}

type Units = Readonly<Partial<Record<FigureName, Unit>>>;

const LATENCY: Units = {
  p50Us: { head: "p50 µs", digits: 0, read: ({ latency }) => latency?.p50Us },
  p99Us: { head: "p99 µs", digits: 0, read: ({ latency }) => latency?.p99Us },
};

const BULK: Units = {
  rate: { head: "GB/s", digits: 2, read: scaled("perSecond", 1e-9) },
  cpu: { head: "CPU s/GB", digits: 2, read: scaled("cpuSecondsEach", 1e9) },
  endsCpu: { head: "ends' CPU s/GB", digits: 2, read: scaled("endsCpuSecondsEach", 1e9) },
};

const CALLS: Units = {
  rate: { head: "calls/s", digits: 0, read: scaled("perSecond", 1) },
  cpu: { head: "CPU s/1,000", digits: 4, read: scaled("cpuSecondsEach", 1e3) },
  endsCpu: { head: "ends' CPU s/1,000", digits: 4, read: scaled("endsCpuSecondsEach", 1e3) },
  ...LATENCY,
};

/** What is reported of each kind of measure, in this order. */
export const UNITS: Readonly<Record<MeasureKind, Units>> = {
  bulk: BULK,
  unary: CALLS,
  paced: CALLS,
  status: {
    rate: { head: "messages/s", digits: 0, read: scaled("perSecond", 1) },
    cpu: { head: "CPU µs/message", digits: 2, read: scaled("cpuSecondsEach", 1e6) },
    endsCpu: { head: "ends' CPU µs/message", digits: 2, read: scaled("endsCpuSecondsEach", 1e6) },
  },
  connects: {
    rate: { head: "connects/s", digits: 0, read: scaled("perSecond", 1) },
    cpu: { head: "CPU ms/connect", digits: 2, read: scaled("cpuSecondsEach", 1e3) },
    endsCpu: { head: "ends' CPU ms/connect", digits: 2, read: scaled("endsCpuSecondsEach", 1e3) },
  },
  idle: { memory: { head: "KB/connection", digits: 1, read: scaled("bytesEach", 1e-3) } },
  build: {
    rate: { head: "builds/s", digits: 4, read: scaled("perSecond", 1) },
    cpu: { head: "CPU s/build", digits: 2, read: scaled("cpuSecondsEach", 1) },
  },
};

function scaled(name: Exclude<keyof Figures, "latency">, factor: number): Unit["read"] {
  return (figures) => {
    const value = figures[name];
    return value === undefined ? undefined : value * factor;
  };
}
