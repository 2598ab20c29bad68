import { setTimeout as delay } from "node:timers/promises";

/** How long to ask, and how often. */
export interface PollOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Default 50. */
  readonly intervalMs?: number;
}

/**
 * Ask a foreign process again and again until it answers with something.
 *
 * For what reports no event: a socket that is not there yet, a process table.
 * An answer of undefined or false, and a rejection, mean "not yet"; the last
 * rejection becomes the cause of the error when the time is up.
 */
export async function pollUntil<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  options: PollOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const endMs = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (reason) {
      cause = reason;
    }
    await delay(options.intervalMs ?? 50);
  } while (performance.now() < endMs);
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause });
}
