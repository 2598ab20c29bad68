import { readdir, readFile } from "node:fs/promises";

/** A process somewhere below another. */
export interface TreeProcess {
  readonly pid: number;
  /** Its arguments, joined by spaces; empty when it has ended meanwhile. */
  readonly commandLine: string;
}

/** All processes below `rootPid`, parents before children; `rootPid` itself is not among them. */
export async function processesBelow(rootPid: number): Promise<TreeProcess[]> {
  const children = new Map<number, number[]>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => undefined);
    if (stat === undefined) continue;
    // The name may hold blanks and brackets: the fields start after the last one. proc(5): state, then ppid.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found: TreeProcess[] = [];
  const open = [...(children.get(rootPid) ?? [])];
  for (let pid = open.shift(); pid !== undefined; pid = open.shift()) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    found.push({ pid, commandLine: commandLine.replaceAll("\0", " ").trimEnd() });
    open.push(...(children.get(pid) ?? []));
  }
  return found;
}
