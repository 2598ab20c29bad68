import { readFileSync } from "node:fs";

/** Files and sockets that this process may have open at once (Linux, proc_pid_limits(5)). `undefined`: there is no bound, or it is not known. */
export function maxOpenFiles(): number | undefined {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  const text = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return text === undefined ? undefined : Number(text);
}
