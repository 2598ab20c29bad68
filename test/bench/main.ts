import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeCertificate } from "./certificate.ts";
import { startWorker } from "./child.ts";
import type { GeneratorCommand } from "./load/generator-process.ts";
import type { ReplicaCommand, ReplicaPorts } from "./load/replica-process.ts";
import { describeMachine, switchCongestionControl } from "./machine.ts";
import { MEASURES } from "./measures.ts";
import { type Ends, runMeasure } from "./measuring.ts";
import { type BenchOptions, readOptions, USAGE } from "./options.ts";
import { pinToCores, unpinned } from "./pinning.ts";
import { renderReport } from "./report.ts";
import { assemble, type Outcome, type Results, type Turn } from "./results.ts";
import { direct } from "./targets/direct.ts";
import { gateway } from "./targets/gateway.ts";
import { haproxy } from "./targets/haproxy.ts";
import { nginx } from "./targets/nginx.ts";
import type { RunningTarget, Target, TargetName } from "./targets/target.ts";

/*
 * `npm run bench`: the gateway beside nothing, nginx and haproxy, in one run.
 *
 * Generator and replica are our own and work at the level of frames, so that
 * they do not limit what stands between them; each is a process of its own.
 * Targets take turns within each round, so a disturbance hits them alike.
 */

const TARGETS: readonly Target[] = [direct, gateway, nginx, haproxy];

/** What is to be undone, in the reverse order; also when the run fails or is interrupted. */
type Cleanups = (() => void | Promise<void>)[];

async function run(options: BenchOptions, cleanups: Cleanups): Promise<Results> {
  const { inForce, restore } = switchCongestionControl();
  cleanups.push(restore);
  const folder = mkdtempSync(path.join(os.tmpdir(), "gateway-bench-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const certificate = makeCertificate(folder);

  const pinning = options.isPinned ? pinToCores() : unpinned();
  const replica = startWorker<ReplicaCommand>("replica-process");
  cleanups.push(replica.stop);
  const generator = startWorker<GeneratorCommand>("generator-process");
  cleanups.push(generator.stop);
  const ends: Ends = { generator, replica };
  const { certPath, keyPath } = certificate;
  const replicaPorts = await replica.ask<ReplicaPorts>({ t: "listen", certPath, keyPath });

  const running = new Map<TargetName, RunningTarget>();
  for (const target of TARGETS.filter(({ name }) => options.targets.includes(name))) {
    const own = path.join(folder, target.name);
    mkdirSync(own);
    const { commandPrefix } = pinning;
    const started = await target.start({ replica: replicaPorts, certificate, folder: own, commandPrefix });
    cleanups.push(started.stop);
    running.set(target.name, started);
  }

  return assemble(await runRounds(options, running, ends), options.targets, {
    machine: describeMachine(inForce),
    pinning: pinning.description,
    rounds: options.rounds,
    seconds: options.seconds,
    unary: options.unary,
    versions: Object.fromEntries([...running].map(([name, { version }]) => [name, version])),
  });
}

/** Every target in turn in every round; the order moves on by one from round to round. */
async function runRounds(
  options: BenchOptions,
  running: ReadonlyMap<TargetName, RunningTarget>,
  ends: Ends,
): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const measure of MEASURES.filter(({ name }) => options.measures.includes(name))) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}: ${measure.name}\n`);
      const entries = [...running];
      const first = round % entries.length;
      for (const [name, target] of [...entries.slice(first), ...entries.slice(0, first)]) {
        let outcome: Outcome;
        try {
          outcome = { t: "ok", figures: await runMeasure(measure, target, ends, options) };
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
