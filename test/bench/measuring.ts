import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "./child.ts";
import type { GeneratorCommand } from "./load/generator-process.ts";
import type { Sample } from "./load/parent.ts";
import type { ReplicaCommand } from "./load/replica-process.ts";
import type { Figures, Measure, UnaryShape } from "./measures.ts";
import { cpuSeconds, machineBusySeconds } from "./process-cpu.ts";
import type { RunningTarget } from "./targets/target.ts";

/** Long enough for Node to have compiled what runs often and for windows to have grown; not measured. */
const WARM_UP_MS = 400;

/** The two processes around every target. */
export interface Ends {
  readonly generator: Worker<GeneratorCommand>;
  readonly replica: Worker<ReplicaCommand>;
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
  { seconds, unary }: { readonly seconds: number; readonly unary: UnaryShape },
): Promise<Figures> {
  const { port, pid } = measure.isTls ? target.tls : target.cleartext;
  await ends.generator.ask<void>(loadCommand(measure, port, unary));
  try {
    await delay(WARM_UP_MS);
    const before = await takeSample(measure, ends, pid);
    await delay(seconds * 1_000);
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

/** Bytes are counted where they arrive, calls where they are made. */
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

function loadCommand(measure: Measure, port: number, unary: UnaryShape): GeneratorCommand {
  const target = { port, isTls: measure.isTls };
  return measure.direction ? { t: "bulk", target, direction: measure.direction } : { t: "unary", target, ...unary };
}
