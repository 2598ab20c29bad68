import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Waits until whoever started it is gone, then removes the folder: other processes may still be leaving it. */
const JANITOR = `
read -r line
for _ in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf --one-file-system -- "$1" && exit 0
  sleep 0.5
done
`;

/** A private folder with a short path, since unix sockets go into it. */
export interface ScratchDir {
  readonly path: string;
  /** Remove it. Happens once more, a moment later, when this process ends, by SIGKILL too. */
  remove(): Promise<void>;
}

/** Make a private folder for one run. */
export async function makeScratchDir(prefix: string): Promise<ScratchDir> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const janitor = spawn("sh", ["-c", JANITOR, "sh", path], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  janitor.stdin.on("error", () => {});
  unref(janitor);
  return {
    path,
    async remove() {
      // Retried, as a program that was just killed may still have written a file.
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Let this process end although the child runs: the child's input then ends, which is its signal. */
export function unref(child: ChildProcess): void {
  child.unref();
  (child.stdin as { unref?(): void } | null)?.unref?.();
}
