import type { Latency } from "./load.ts";

/** A count and when it was taken, in this process's own time. */
export interface Sample {
  readonly count: number;
  readonly atMs: number;
  /** Of the calls since the last sample; absent where there are no calls. */
  readonly latency?: Latency | undefined;
}

/** A question to one of the benchmark's own processes, over Node's IPC channel. */
export interface Question<C> {
  readonly id: number;
  readonly command: C;
}

/** Its answer. */
export type Answer<R> =
  | { readonly id: number; readonly t: "ok"; readonly result: R }
  | { readonly id: number; readonly t: "failed"; readonly message: string };

/** Answer the parent's questions one by one; the process ends with its parent. */
export function answerParent<C, R>(handle: (command: C) => Promise<R> | R): void {
  process.on("disconnect", () => process.exit());
  // Ctrl-C reaches the whole process group: the parent decides when this process ends.
  process.on("SIGINT", () => {});
  process.on("message", async ({ id, command }: Question<C>) => {
    let answer: Answer<R>;
    try {
      answer = { id, t: "ok", result: await handle(command) };
    } catch (reason) {
      answer = { id, t: "failed", message: (reason as Error).message };
    }
    process.send?.(answer);
  });
}
