import { readdir, readFile, readlink } from "node:fs/promises";

/** `ESTABLISHED` in /proc/net/tcp (Linux include/net/tcp_states.h). */
const ESTABLISHED = "01";

/** How many TCP connections a process has open to a port of 127.0.0.1, as the kernel knows it. */
export async function connectionsTo(port: number, pid: number): Promise<number> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  const owned = new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = (await readFile(`/proc/${pid}/net/tcp`, "utf8")).split("\n").slice(1);
  // Columns (proc(5)): number, local, remote, state, queues, timer, retransmits, uid, timeout, inode.
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[2] === remote && columns[3] === ESTABLISHED && owned.has(columns[9] ?? "")).length;
}
