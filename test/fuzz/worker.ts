import { CodeCoverage } from "./code-coverage.ts";
import { FlightRecorder } from "./flight-recorder.ts";
import { fuzz } from "./fuzz-loop.ts";
import { loadTarget, type TargetName, TargetUnavailable } from "./fuzz-target.ts";
import type { WorkerReport } from "./worker-report.ts";

/*
 * One target in a process of its own, which may hang or die: what it runs is in
 * its flight recorder. Started by worker-process.ts.
 */

const PROGRESS_INTERVAL_MS = 500;

const [name, seed, runMs, flightPath] = process.argv.slice(2) as [TargetName, string, string, string];

function report(what: WorkerReport): Promise<void> {
  return new Promise((resolve) => process.send!(what, () => resolve()));
}

// Before the target is loaded, so that its code is counted by blocks.
const coverage = new CodeCoverage();
const recorder = new FlightRecorder(flightPath);
let reportedMs = 0;
try {
  const target = await loadTarget(name);
  await report({ t: "begun", hangMs: target.hangMs });
  const progress = await fuzz(target, {
    seed: Number(seed),
    maxInputs: Number.POSITIVE_INFINITY,
    endMs: performance.now() + Number(runMs),
    coverage,
    note: (count, input) => recorder.note(count, input),
    onProgress: (now) => {
      if (performance.now() - reportedMs < PROGRESS_INTERVAL_MS) return;
      reportedMs = performance.now();
      void report({ t: "progress", ...now });
    },
    onFinding: ({ input, reason }) => void report({ t: "finding", hex: input.toString("hex"), reason }),
  });
  await report({ t: "done", ...progress });
} catch (cause) {
  if (!(cause instanceof TargetUnavailable)) throw cause;
  await report({ t: "unavailable", reason: cause.message });
} finally {
  coverage.stop();
  recorder.close();
}
process.disconnect();
