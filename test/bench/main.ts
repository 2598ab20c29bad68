import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeCertificate } from "./certificate.ts";
import { renderChart } from "./chart.ts";
import { startWorker } from "./child.ts";
import type { GeneratorCommand } from "./load/generator-process.ts";
import type { ReplicaCommand, ReplicaPorts } from "./load/replica-process.ts";
import { describeMachine, switchCongestionControl } from "./machine.ts";
import { type Figures, MEASURES, type Measure, type MeasureName } from "./measures.ts";
import { type Ends, measureIdle, runMeasure } from "./measuring.ts";
import { type BenchOptions, readOptions, USAGE } from "./options.ts";
import { pinToCores, unpinned } from "./pinning.ts";
import { runRealBuilds } from "./real-builds.ts";
import { renderReport } from "./report.ts";
import { assemble, type Outcome, type Results, type Turn } from "./results.ts";
import { direct } from "./targets/direct.ts";
import { gateway } from "./targets/gateway.ts";
import { haproxy, haproxyTcp } from "./targets/haproxy.ts";
import { nginx, nginxStream } from "./targets/nginx.ts";
import type { RunningTarget, Target, TargetContext, TargetName } from "./targets/target.ts";

/*
 * `npm run bench`: the gateway beside nothing, nginx and haproxy, in one run.
 *
 * Generator and replica are our own and work at the level of frames, so that
 * they do not limit what stands between them; each is a process of its own.
 * Targets take turns within each round, so a disturbance hits them alike.
 */

const TARGETS: readonly Target[] = [direct, gateway, nginx, haproxy, nginxStream, haproxyTcp];

/** What is to be undone, in the reverse order; also when the run fails or is interrupted. */
type Cleanups = (() => Promise<void>)[];

async function run(options: BenchOptions, cleanups: Cleanups): Promise<Results> {
  const { inForce, restore } = switchCongestionControl();
  cleanups.push(async () => restore());
  const folder = mkdtempSync(path.join(os.tmpdir(), "gateway-bench-"));
  cleanups.push(async () => rmSync(folder, { recursive: true, force: true }));
  const certificate = makeCertificate(folder);

  const pinning = options.isPinned ? pinToCores() : unpinned();
  const replica = startWorker<ReplicaCommand>("replica-process");
  cleanups.push(replica.stop);
  const generator = startWorker<GeneratorCommand>("generator-process");
  cleanups.push(generator.stop);
  const ends: Ends = { generator, replica };
  const { certPath, keyPath } = certificate;
  const replicaPorts = await replica.ask<ReplicaPorts>({ t: "listen", certPath, keyPath });

  const { commandPrefix } = pinning;
  const startTarget = async (name: TargetName): Promise<RunningTarget> => {
    const own = mkdtempSync(path.join(folder, `${name}-`));
    const context: TargetContext = { replica: replicaPorts, certificate, folder: own, commandPrefix };
    const started = await TARGETS.find((target) => target.name === name)!.start(context);
    cleanups.push(started.stop);
    return started;
  };
  const running = new Map<TargetName, RunningTarget>();
  for (const name of options.targets) running.set(name, await startTarget(name));
  const turns = await runRounds(options, {
    running,
    run: (measure, target) => runMeasure(measure, target, ends, { ...options, certificate }),
    runIdle: async (measure, name) => {
      const fresh = await startTarget(name);
      try {
        return await measureIdle(measure, fresh, ends);
      } finally {
        await fresh.stop();
      }
    },
  });
  const builds = options.measures.filter(isBuild);
  if (builds.length > 0) {
    pinning.release();
    turns.push(...(await runRealBuilds(builds, options.rounds, certificate, cleanups)));
  }

  return assemble(turns, {
    machine: describeMachine(inForce),
    pinning: pinning.description,
    rounds: options.rounds,
    seconds: options.seconds,
    unary: options.unary,
    versions: Object.fromEntries([...running].map(([name, { version }]) => [name, version])),
  });
}

function isBuild(name: MeasureName): name is Extract<MeasureName, `build-${string}`> {
  return name.startsWith("build-");
}

/** What is measured, and how. */
interface Rounds {
  readonly running: ReadonlyMap<TargetName, RunningTarget>;
  readonly run: (measure: Measure, target: RunningTarget) => Promise<Figures>;
  readonly runIdle: (measure: Measure, name: TargetName) => Promise<Figures>;
}

/** Every target in turn in every round; the order moves on by one from round to round. */
async function runRounds(options: BenchOptions, { running, run, runIdle }: Rounds): Promise<Turn[]> {
  const turns: Turn[] = [];
  const measures = MEASURES.filter(({ name }) => options.measures.includes(name) && !isBuild(name));
  for (let round = 0; round < options.rounds; round++) {
    for (const measure of measures) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}: ${measure.name}\n`);
      const entries = [...running].filter(([name]) => !measure.without.includes(name));
      const first = round % entries.length;
      for (const [name, target] of [...entries.slice(first), ...entries.slice(0, first)]) {
        let outcome: Outcome;
        try {
          const figures = measure.kind === "idle" ? await runIdle(measure, name) : await run(measure, target);
          outcome = { t: "ok", figures };
        } catch (reason) {
          outcome = { t: "failed", reason: (reason as Error).message };
        }
        turns.push({ round, measure: measure.name, target: name, outcome });
      }
    }
  }
  return turns;
}

async function undo(cleanups: Cleanups): Promise<void> {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) {
    try {
      await cleanup();
    } catch (reason) {
      process.stderr.write(`cleanup: ${(reason as Error).message}\n`);
      process.exitCode = 1;
    }
  }
}

async function main(): Promise<void> {
  let options: BenchOptions;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (reason) {
    process.stderr.write(`${(reason as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const cleanups: Cleanups = [];
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, () => void undo(cleanups).then(() => process.exit(status)));
  }
  try {
    const results = await run(options, cleanups);
    process.stdout.write(options.isJson ? `${JSON.stringify(results, null, 2)}\n` : renderReport(results));
    if (options.chartFile !== undefined) writeFileSync(options.chartFile, renderChart(results));
    const failures = Object.values(results.measures).flatMap((targets) => Object.values(targets));
    if (failures.some((result) => result.failures.length > 0)) process.exitCode = 1;
  } catch (reason) {
    const { message, cause } = reason as Error;
    process.stderr.write(`${message}${cause instanceof Error ? `: ${cause.message}` : ""}\n`);
    process.exitCode = 1;
  } finally {
    await undo(cleanups);
  }
}

await main();
