import { LAB_CACHE_DIR } from "../../support/lab/cache-dir.ts";
import { Lab } from "../../support/lab/lab.ts";
import { provision } from "../../support/lab/provision.ts";
import type { LabTools } from "../../support/lab/tools.ts";
import type { FrontName } from "./front.ts";
import { replicasOf, startFront } from "./fronts.ts";
import { type JobOutcome, runJob } from "./job.ts";
import { readWarmOptions, USAGE, type WarmOptions } from "./options.ts";
import { renderWarmReport } from "./report.ts";
import { type FrontResult, summarize } from "./results.ts";

/*
 * `npm run bench:warm`: who finds a warm cache, with real BuildKit and real
 * buildx: the gateway, a TCP balancer, and one replica alone.
 *
 * Fronts take turns within each round, each on replicas that nobody has used.
 */

/** What the gateway must reach, or the benchmark fails. */
const WANTED_WARM_SHARE = 0.95;

/** What is open, to be closed last to first; also when the run is interrupted. */
const open: (() => Promise<void>)[] = [];

async function runRounds(options: WarmOptions, tools: LabTools): Promise<FrontResult[]> {
  const abouts = new Map<FrontName, string>();
  const jobs = new Map<FrontName, JobOutcome[]>(options.fronts.map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    const first = round % options.fronts.length;
    for (const name of [...options.fronts.slice(first), ...options.fronts.slice(0, first)]) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}: ${name}\n`);
      const { about, job } = await runTurn(name, options, tools);
      abouts.set(name, about);
      jobs.get(name)!.push(job);
    }
  }
  return options.fronts.map((name) => summarize(name, abouts.get(name)!, jobs.get(name)!));
}

/** One front, on replicas of its own, does the job once. */
async function runTurn(
  name: FrontName,
  options: WarmOptions,
  tools: LabTools,
): Promise<{ readonly about: string; readonly job: JobOutcome }> {
  const lab = await Lab.open(tools);
  open.push(() => lab.close());
  try {
    const replicas = await lab.startReplicas(replicasOf(name, options.replicas));
    const front = await startFront(name, replicas, await lab.newFolder());
    open.push(() => front.stop());
    return { about: front.about, job: await runJob(options, lab, front.address) };
  } finally {
    await closeAll();
  }
}

async function closeAll(): Promise<void> {
  for (let close = open.pop(); close; close = open.pop()) await close();
}

/** Returns the exit status. */
async function main(): Promise<number> {
  let options: WarmOptions;
  try {
    options = readWarmOptions(process.argv.slice(2));
  } catch (reason) {
    process.stderr.write(`${(reason as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable" || provisioned.tools.replicas.t === "external") {
    process.stderr.write(
      "this benchmark needs replicas of its own: run it as root on Debian, without BUILDKIT_ADDRS\n",
    );
    return 1;
  }
  const results = await runRounds(options, provisioned.tools);
  process.stdout.write(
    options.isJson ? `${JSON.stringify({ options, results }, null, 2)}\n` : renderWarmReport(options, results),
  );
  const gateway = results.find(({ name }) => name === "gateway");
  return gateway && (gateway.warmShare < WANTED_WARM_SHARE || gateway.failures.length > 0) ? 1 : 0;
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => void closeAll().then(() => process.exit(status)));
}
process.exitCode = await main().catch((reason: Error) => {
  process.stderr.write(`${reason.message}\n`);
  return 1;
});
