import { execFileSync } from "node:child_process";
import os from "node:os";

/** Where the processes of a run are placed. */
export interface Pinning {
  /** Put in front of a proxy's command line. */
  readonly commandPrefix: readonly string[];
  readonly description: string;
  /** What this process starts from now on may run on every core. */
  readonly release: () => void;
}

/**
 * The proxy alone on the last core; this process, and with it what it forks, on
 * the others. So every proxy has exactly one core, whatever helper threads it
 * has, and its throughput is what that core can do. Without pinning the figures
 * of two cores scatter more and flatter those that leave the ends more time.
 */
export function pinToCores(): Pinning {
  const last = os.cpus().length - 1;
  if (last === 0) return unpinned("one core for all");
  const others = last === 1 ? "0" : `0-${last - 1}`;
  const moveTo = (cores: string): void => {
    execFileSync("taskset", ["-a", "-p", "-c", cores, String(process.pid)], { stdio: "ignore" });
  };
  try {
    moveTo(others);
  } catch {
    return unpinned("not pinned, since taskset does not work here");
  }
  return {
    commandPrefix: ["taskset", "-c", String(last)],
    description: `proxy on core ${last}, generator and replica on ${others} (direct: both on ${others})`,
    release: () => moveTo(`0-${last}`),
  };
}

/** Leave it to the scheduler. */
export function unpinned(description = "not pinned: the scheduler places generator, proxy and replica"): Pinning {
  return { commandPrefix: [], description, release: () => {} };
}
