import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { makeCertificate } from "../certificate.ts";
import { startWorker, type Worker } from "../child.ts";
import type { GeneratorCommand } from "../load/generator-process.ts";
import type { Sample } from "../load/parent.ts";
import type { ReplicaCommand, ReplicaPorts } from "../load/replica-process.ts";
import { BENCH_PATH, CONTENT_BYTES } from "../load/shapes.ts";
import { type CongestionControl, describeMachine, switchCongestionControl } from "../machine.ts";
import { pinToCores } from "../pinning.ts";
import { cpuSeconds } from "../process-cpu.ts";
import { type Spread, spread } from "../statistics.ts";
import { gateway } from "../targets/gateway.ts";

/*
 * `npm run bench:one-daemon`: what it costs to speak for a whole fleet.
 *
 * Content is read through the gateway beside the switch's own bulk rate, in
 * turn within each round; and Info and ListWorkers are called, one call after
 * another, while a bulk stream takes all that the gateway can move. Generators
 * and replica are those of `npm run bench`.
 */

const WARM_UP_MS = 400;

/** What is called while a bulk stream passes through the gateway; the spliced call shows what the machine adds. */
const CALLED = {
  Info: "/moby.buildkit.v1.Control/Info",
  ListWorkers: "/moby.buildkit.v1.Control/ListWorkers",
  "spliced call": BENCH_PATH.echo,
} as const;

type Called = keyof typeof CALLED;

/** How bytes come through the gateway. */
interface Rate {
  readonly bytesPerSecond: number;
  /** The gateway's own CPU time for 10^9 bytes: says what it costs on a machine that is busy with something else, too. */
  readonly cpuSecondsPerGigabyte: number;
}

interface Figures {
  readonly bulk: Rate;
  readonly content: Rate;
  readonly latency: Readonly<Record<Called, { readonly p50Ms: number; readonly p99Ms: number }>>;
}

type Generator = Worker<GeneratorCommand>;

async function rateOf({ bulk, gatewayPid }: Setup, command: GeneratorCommand, seconds: number): Promise<Rate> {
  await bulk.ask<void>(command);
  await delay(WARM_UP_MS);
  const [before, cpuBefore] = [await bulk.ask<Sample>({ t: "sample" }), cpuSeconds(gatewayPid)];
  await delay(seconds * 1_000);
  const [after, cpuAfter] = [await bulk.ask<Sample>({ t: "sample" }), cpuSeconds(gatewayPid)];
  await bulk.ask<void>({ t: "stop" });
  const bytes = after.count - before.count;
  return {
    bytesPerSecond: (1_000 * bytes) / (after.atMs - before.atMs),
    cpuSecondsPerGigabyte: (1e9 * (cpuAfter - cpuBefore)) / bytes,
  };
}

async function latencyUnderLoad({ bulk, caller, port }: Setup, called: Called, seconds: number) {
  const target = { port, isTls: false };
  await bulk.ask<void>({ t: "bulk", target, direction: "down" });
  await caller.ask<void>({ t: "method", target, path: CALLED[called] });
  await delay(WARM_UP_MS);
  await caller.ask<Sample>({ t: "sample" });
  await delay(seconds * 1_000);
  const { latency } = await caller.ask<Sample>({ t: "sample" });
  await caller.ask<void>({ t: "stop" });
  await bulk.ask<void>({ t: "stop" });
  return { p50Ms: latency!.p50Us / 1_000, p99Ms: latency!.p99Us / 1_000 };
}

interface Setup {
  readonly bulk: Generator;
  readonly caller: Generator;
  /** The gateway's. */
  readonly port: number;
  readonly gatewayPid: number;
}

async function runRound(setup: Setup, seconds: number, isEven: boolean): Promise<Figures> {
  const target = { port: setup.port, isTls: false };
  const measureBulk = () => rateOf(setup, { t: "bulk", target, direction: "down" }, seconds);
  const measureContent = () => rateOf(setup, { t: "content", target }, seconds);
  const first = isEven ? await measureBulk() : await measureContent();
  const second = isEven ? await measureContent() : await measureBulk();
  return {
    bulk: isEven ? first : second,
    content: isEven ? second : first,
    latency: {
      Info: await latencyUnderLoad(setup, "Info", seconds),
      ListWorkers: await latencyUnderLoad(setup, "ListWorkers", seconds),
      "spliced call": await latencyUnderLoad(setup, "spliced call", seconds),
    },
  };
}

function render(rounds: readonly Figures[], seconds: number, placement: string, inForce: CongestionControl): string {
  const { cpu, cores, kernel, node } = describeMachine(inForce);
  const of = (pick: (figures: Figures) => number) => rounds.map(pick);
  const row = (name: string, values: readonly number[], digits: number) => {
    const { median, min, max } = spread(values) as Spread;
    return `| ${name} | ${[median, min, max].map((value) => value.toFixed(digits)).join(" | ")} |`;
  };
  return [
    `machine: ${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}`,
    `${placement}; ${inForce.duringTheRun}; ${rounds.length} rounds of ${seconds} s`,
    "",
    "| | median | min | max |",
    "|---|---|---|---|",
    row(
      "bulk down, GB/s",
      of(({ bulk }) => bulk.bytesPerSecond / 1e9),
      2,
    ),
    row(
      `content of ${CONTENT_BYTES / 1e6} MB, GB/s`,
      of(({ content }) => content.bytesPerSecond / 1e9),
      2,
    ),
    row(
      "content / bulk, in a round",
      of(({ content, bulk }) => content.bytesPerSecond / bulk.bytesPerSecond),
      3,
    ),
    row(
      "bulk down, CPU s/GB",
      of(({ bulk }) => bulk.cpuSecondsPerGigabyte),
      2,
    ),
    row(
      "content, CPU s/GB",
      of(({ content }) => content.cpuSecondsPerGigabyte),
      2,
    ),
    ...(Object.keys(CALLED) as Called[]).flatMap((method) => [
      row(
        `${method} under bulk, p50 ms`,
        rounds.map(({ latency }) => latency[method].p50Ms),
        2,
      ),
      row(
        `${method} under bulk, p99 ms`,
        rounds.map(({ latency }) => latency[method].p99Ms),
        2,
      ),
    ]),
    "",
  ].join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "2" } },
  });
  const [count, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(count >= 1 && count <= 1_000 && seconds > 0 && seconds <= 60)) {
    throw new Error("usage: npm run bench:one-daemon -- [--rounds N] [--seconds N]");
  }
  const cleanups: (() => unknown)[] = [];
  try {
    const { inForce, restore } = switchCongestionControl();
    cleanups.push(restore);
    const folder = mkdtempSync(path.join(os.tmpdir(), "gateway-bench-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const certificate = makeCertificate(folder);
    const pinning = pinToCores();
    const replica = startWorker<ReplicaCommand>("replica-process");
    cleanups.push(replica.stop);
    const [bulk, caller] = [0, 1].map(() => startWorker<GeneratorCommand>("generator-process")) as [
      Generator,
      Generator,
    ];
    cleanups.push(bulk.stop, caller.stop);
    const { certPath, keyPath } = certificate;
    // How long it waits for its turn on a core is not what is asked.
    os.setPriority(caller.pid, os.constants.priority.PRIORITY_HIGHEST);
    const ports = await replica.ask<ReplicaPorts>({ t: "listen", certPath, keyPath });
    const { commandPrefix } = pinning;
    const started = await gateway.start({ replica: ports, certificate, folder, commandPrefix });
    cleanups.push(started.stop);
    const setup: Setup = { bulk, caller, port: started.cleartext.port, gatewayPid: started.cleartext.pid! };
    const rounds: Figures[] = [];
    for (let round = 0; round < count; round++) {
      process.stderr.write(`round ${round + 1} of ${count}\n`);
      rounds.push(await runRound(setup, seconds, round % 2 === 0));
    }
    process.stdout.write(render(rounds, seconds, pinning.description, inForce));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

await main();
