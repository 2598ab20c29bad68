import { setTimeout as delay } from "node:timers/promises";
import type { CertificateFiles } from "./certificate.ts";
import type { Worker } from "./child.ts";
import type { GeneratorCommand } from "./load/generator-process.ts";
import type { Sample } from "./load/parent.ts";
import type { ReplicaCommand } from "./load/replica-process.ts";
import type { Figures, Measure, UnaryShape } from "./measures.ts";
import { cpuSeconds, machineBusySeconds, memoryBytes } from "./process-cpu.ts";
import type { RunningTarget } from "./targets/target.ts";

/** Long enough for Node to have compiled what runs often and for windows to have grown; not measured. */
const WARM_UP_MS = 400;

/** Calls per second of the open loop: about a tenth of what the gateway can do, and less than any peer can. */
const PACED_CALLS_PER_SECOND = 10_000;

/** 200 streams, as of 200 builds, on as many connections as builders have them open at once. */
const STATUS_SHAPE = { connections: 20, streams: 10 };

/** Connections that are held open; what the first of them cost, every program has once. */
const IDLE_CONNECTIONS = { first: 500, all: 2_500 };

/** Time for a proxy to have given back what only opening has cost. */
const IDLE_SETTLE_MS = 1_500;

/** The two processes around every target. */
export interface Ends {
  readonly generator: Worker<GeneratorCommand>;
  readonly replica: Worker<ReplicaCommand>;
}

/** How measures are run. */
export interface MeasureOptions {
  readonly seconds: number;
  readonly unary: UnaryShape;
  readonly certificate: CertificateFiles;
}

interface SampleWithCpu extends Sample {
  readonly cpuSeconds: number;
  readonly endsCpuSeconds: number;
  readonly machineBusySeconds: number;
}

/** Run one measure against one target. Throws when a call failed or a byte got lost. */
export async function runMeasure(
  measure: Measure,
  target: RunningTarget,
  ends: Ends,
  options: MeasureOptions,
): Promise<Figures> {
  const { port, pid } = target[measure.entrance];
  await ends.generator.ask<void>(loadCommand(measure, port, options));
  try {
    await delay(WARM_UP_MS);
    const before = await takeSample(measure, ends, pid);
    await delay(options.seconds * 1_000);
    const after = await takeSample(measure, ends, pid);
    const count = after.count - before.count;
    if (count === 0) throw new Error("nothing came through");
    const elapsedSeconds = (after.atMs - before.atMs) / 1_000;
    const used = after.cpuSeconds - before.cpuSeconds;
    const endsUsed = after.endsCpuSeconds - before.endsCpuSeconds;
    const machineUsed = after.machineBusySeconds - before.machineBusySeconds;
    return {
      perSecond: count / elapsedSeconds,
      cpuSecondsEach: pid === undefined ? undefined : used / count,
      endsCpuSecondsEach: endsUsed / count,
      otherBusyCores: Math.max(0, (machineUsed - used - endsUsed) / elapsedSeconds),
      latency: after.latency,
    };
  } finally {
    await ends.generator.ask<void>({ t: "stop" });
  }
}

/** What each of many connections costs in memory that have made a call and stay open, on a target that nobody has used. */
export async function measureIdle(measure: Measure, target: RunningTarget, ends: Ends): Promise<Figures> {
  const { port, pid } = target[measure.entrance];
  if (pid === undefined) return {};
  const open = async (connections: number): Promise<number> => {
    const isTls = measure.entrance !== "cleartext";
    await ends.generator.ask<void>({ t: "idle", target: { port, isTls }, connections });
    await delay(IDLE_SETTLE_MS);
    await ends.generator.ask<Sample>({ t: "sample" });
    return memoryBytes(pid);
  };
  try {
    const { first, all } = IDLE_CONNECTIONS;
    const before = await open(first);
    return { bytesEach: Math.max(0, (await open(all)) - before) / (all - first) };
  } finally {
    await ends.generator.ask<void>({ t: "stop" });
  }
}

/** Bytes are counted where they arrive, all else where it is made. */
async function takeSample(measure: Measure, ends: Ends, pid: number | undefined): Promise<SampleWithCpu> {
  const generated = await ends.generator.ask<Sample>({ t: "sample" });
  const cpu = {
    cpuSeconds: pid === undefined ? 0 : cpuSeconds(pid),
    endsCpuSeconds: cpuSeconds(ends.generator.pid) + cpuSeconds(ends.replica.pid),
    machineBusySeconds: machineBusySeconds(),
  };
  const counted = measure.direction === "up" ? await ends.replica.ask<Sample>({ t: "sample" }) : generated;
  return { ...counted, ...cpu };
}

function loadCommand(measure: Measure, port: number, { unary, certificate }: MeasureOptions): GeneratorCommand {
  const target = { port, isTls: measure.entrance !== "cleartext" };
  const { kind, direction = "up", connections = 1, streams = 1 } = measure;
  switch (kind) {
    case "bulk":
      return { t: "bulk", target, direction, connections, streams };
    case "paced":
      return { t: "paced", target, connections: unary.connections, callsPerSecond: PACED_CALLS_PER_SECOND };
    case "status":
      return { t: "status", target, ...STATUS_SHAPE };
    case "connects":
      return { t: "connects", target, certificate };
    case "unary":
      return { t: "unary", target, ...unary };
    default:
      throw new Error(`${measure.name} is no load`);
  }
}
