import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readFlight } from "./flight-recorder.ts";
import type { Finding, Progress } from "./fuzz-loop.ts";
import type { TargetName } from "./fuzz-target.ts";
import type { WorkerReport } from "./worker-report.ts";

/** Time between two looks at whether a worker goes on. */
const WATCH_INTERVAL_MS = 1_000;

const DEFAULT_HANG_MS = 30_000;

/** How long a worker may take to load its target. */
const START_MS = 60_000;

/** What a worker's heap may grow to. An input for which that is not enough is a finding. */
const MAX_HEAP_MIB = 768;

/** Everything started and not yet ended, so that an abrupt end can still end it. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How a worker has ended. */
export type WorkerEnd =
  /** Its time was over. */
  | { readonly t: "done" }
  /** Its target cannot be run on this machine. */
  | { readonly t: "unavailable"; readonly reason: string }
  /** It has hung or died, over the input that is the finding. */
  | { readonly t: "lost"; readonly finding: Finding };

/** What is run. */
export interface WorkerOptions {
  readonly name: TargetName;
  readonly seed: number;
  readonly runMs: number;
  /** Where the worker may write. */
  readonly folder: string;
  readonly onProgress: (progress: Progress) => void;
  readonly onFinding: (finding: Finding) => void;
}

/** Run a target in a process of its own for a time, and watch that it goes on. */
export async function runWorker(options: WorkerOptions): Promise<WorkerEnd> {
  const { name, seed, runMs, folder, onProgress, onFinding } = options;
  const flightPath = join(folder, `${name}.flight`);
  writeFileSync(flightPath, "");
  const child = fork(join(import.meta.dirname, "worker.ts"), [name, `${seed}`, `${runMs}`, flightPath], {
    execArgv: [...process.execArgv, `--max-old-space-size=${MAX_HEAP_MIB}`],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  running.add(child);
  const exited = once(child, "exit");
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = `${output}${text}`.slice(-16_384);
    });
  }
  let end: WorkerEnd | undefined;
  let hangMs = START_MS;
  child.on("message", (report: WorkerReport) => {
    if (report.t === "begun") hangMs = report.hangMs ?? DEFAULT_HANG_MS;
    else if (report.t === "finding") onFinding({ input: Buffer.from(report.hex, "hex"), reason: report.reason });
    else if (report.t === "unavailable") end = report;
    else {
      onProgress(report);
      if (report.t === "done") end = { t: "done" };
    }
  });
  const lost = (reason: string): WorkerEnd => {
    const flight = readFlight(flightPath);
    return { t: "lost", finding: { input: flight?.input ?? Buffer.alloc(0), reason: `${reason}\n${output}`.trim() } };
  };
  const cancelWatch = watch(
    child,
    flightPath,
    () => hangMs,
    () => {
      end ??= lost(`hung: no end of the input after ${hangMs} ms`);
      child.kill("SIGKILL");
    },
  );
  const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  cancelWatch();
  running.delete(child);
  return end ?? lost(`the process ended with ${signal ?? `status ${code}`}`);
}

/** Call `onHang` where the same input is run for too long; returns the way to stop it. */
function watch(child: ChildProcess, flightPath: string, hangMs: () => number, onHang: () => void): () => void {
  let lastCount = -1;
  let sinceMs = performance.now();
  const timer = setInterval(() => {
    const count = readFlight(flightPath)?.count ?? -1;
    if (count !== lastCount) {
      lastCount = count;
      sinceMs = performance.now();
    } else if (performance.now() - sinceMs > hangMs() && child.exitCode === null) onHang();
  }, WATCH_INTERVAL_MS);
  return () => clearInterval(timer);
}
