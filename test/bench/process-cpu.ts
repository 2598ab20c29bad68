import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks per second, the unit of /proc/<pid>/stat (proc(5)). */
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** A process and all its descendants that still run; the parent first. */
export function processTree(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  try {
    const children = readdirSync(`/proc/${pid}/task`)
      .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8"))
      .flatMap((line) => line.split(" ").filter(Boolean).map(Number));
    return [pid, ...children.flatMap(processTree)];
  } catch {
    // The process or a thread of it ended while being looked at.
    return [pid];
  }
}

/** CPU time that a process and its descendants have used so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const each of processTree(pid)) {
    const stat = readFileSync(`/proc/${each}/stat`, "utf8");
    // The second field is the name in parentheses and may hold anything; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** CPU time that the whole machine has been busy, all cores together, in seconds; what a hypervisor took counts too. */
export function machineBusySeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number, number];
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** Memory of a process and its descendants that is in RAM, in bytes; what they share counts for each in part (`Pss`, proc(5)). */
export function memoryBytes(pid: number): number {
  let kibibytes = 0;
  for (const each of processTree(pid)) {
    const rollup = readFileSync(`/proc/${each}/smaps_rollup`, "utf8");
    kibibytes += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]);
  }
  return kibibytes * 1_024;
}
