import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finding, runOnce } from "./fuzz-loop.ts";
import { loadTarget, type TargetName } from "./fuzz-target.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { renderTable, type TargetResult } from "./result-table.ts";
import { runWorker } from "./worker-process.ts";

/*
 * `npm run fuzz`: random inputs for the parts that read what comes from outside.
 * Each target runs in a process of its own, several at once; all have the same time.
 */

/** Workers that a target may lose; then it is given up for this run. */
const MAX_LOST = 5;

async function main(): Promise<void> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (reason) {
    console.error(`${(reason as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (options.inputFile !== undefined) {
    await runOnce(await loadTarget(options.targets[0]!), readFileSync(options.inputFile));
    console.log("no finding");
    return;
  }
  const results = await runAll(options);
  console.log(`\n${renderTable(results)}`);
  if (results.some(({ findings }) => findings > 0)) process.exitCode = 1;
}

async function runAll({ targets, jobs, minutes, seed }: Options): Promise<TargetResult[]> {
  console.log(`seed ${seed} (--seed ${seed} begins with the same inputs)`);
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  const lanes = Math.min(jobs, targets.length);
  const runMs = (minutes * 60_000 * lanes) / targets.length;
  const waiting = [...targets];
  const results = new Map<TargetName, TargetResult>();
  try {
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
          results.set(name, await runTarget(name, seed, runMs, folder));
        }
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return targets.map((name) => results.get(name)!);
}

/** Give a target its time, with a new worker and another seed where one is lost. */
async function runTarget(name: TargetName, seed: number, runMs: number, folder: string): Promise<TargetResult> {
  const startMs = performance.now();
  const secondsSince = () => (performance.now() - startMs) / 1_000;
  let findings = 0;
  let inputsBefore = 0;
  let inputs = 0;
  let kept = 0;
  let reached: number | undefined;
  let note = "";
  const onFinding = (finding: Finding): void => {
    findings++;
    show(name, seed, finding, findings);
  };
  for (let lost = 0; lost < MAX_LOST; lost++) {
    const leftMs = runMs - (performance.now() - startMs);
    if (leftMs <= 0) break;
    const end = await runWorker({
      name,
      seed: seed + lost,
      runMs: leftMs,
      folder,
      onProgress: (progress) => {
        inputs = inputsBefore + progress.inputs;
        ({ kept, reached } = progress);
      },
      onFinding,
    });
    if (end.t === "unavailable") note = `left out: ${end.reason}`;
    if (end.t !== "lost") break;
    inputsBefore = inputs;
    onFinding(end.finding);
  }
  console.log(`${name}: ${inputs} inputs in ${secondsSince().toFixed(0)} s, ${findings} findings ${note}`.trim());
  return { name, inputs, seconds: secondsSince(), kept, reached, findings, note };
}

/** Print a finding, with its input in a file that stays. */
function show(name: TargetName, seed: number, { input, reason }: Finding, count: number): void {
  const path = join(tmpdir(), `fuzz-${name}-${seed}-${count}.bin`);
  writeFileSync(path, input);
  console.log(
    `\nfinding: target ${name}, seed ${seed}, input of ${input.length} bytes in ${path}\n` +
      `  repeat: npm run fuzz -- --target ${name} --input ${path}\n` +
      `  ${input.subarray(0, 200).toString("hex")}\n${reason.slice(0, 4_000)}\n`,
  );
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main();
