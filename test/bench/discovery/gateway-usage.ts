import { readFileSync } from "node:fs";
import { cpuSeconds } from "../process-cpu.ts";

/** What a process used while something went on. */
export interface Usage {
  /** Of one core. */
  readonly cpuShare: number;
  readonly rssBeforeMiB: number;
  readonly rssAfterMiB: number;
}

/** Measure a process while `action` runs. */
export async function measureUsage(pid: number, action: () => Promise<void>): Promise<Usage> {
  const rssBeforeMiB = rssMiB(pid);
  const beganMs = performance.now();
  const beganSeconds = cpuSeconds(pid);
  await action();
  const cpuShare = (cpuSeconds(pid) - beganSeconds) / ((performance.now() - beganMs) / 1_000);
  return { cpuShare, rssBeforeMiB, rssAfterMiB: rssMiB(pid) };
}

/** Resident memory (proc(5), /proc/pid/status). */
function rssMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1_024;
}
