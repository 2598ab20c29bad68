import { readFile, rm, writeFile } from "node:fs/promises";
import { pollUntil } from "./poll.ts";

/**
 * Run `work` while holding a lock file that other processes respect.
 *
 * A lock whose holder has died is taken over. Waits 15 minutes at most.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await pollUntil(`lock ${path}`, () => tryLock(path), { timeoutMs: 900_000, intervalMs: 200 });
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code !== "EEXIST") throw reason;
  }
  const holder = Number(await readFile(path, "utf8").catch(() => "0"));
  if (holder > 0 && !isAlive(holder)) await rm(path, { force: true });
  return false;
}

/** Whether a process with this id exists. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
