import { type Cancel, systemClock } from "../base/clock.ts";
import { followFiles } from "../trust/follow-files.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue } from "./command.ts";

/** Begins to follow something, and tells of each change until it is stopped. */
export type Follower = (onChange: () => Promise<void>) => Promise<Cancel>;

/** Follow files and folders. */
export function ofFiles(paths: readonly string[]): Follower {
  return (onChange) => followFiles({ paths, clock: systemClock, onChange });
}

/**
 * Do something now and after each change, once at a time, until SIGTERM or SIGINT, which end with 0.
 *
 * `action` tells itself what went wrong; the next change is another chance, so nothing ends it.
 */
export async function watchUntilSignal(
  followers: readonly Follower[],
  action: () => Promise<unknown>,
  { signals }: CommandContext,
): Promise<ExitStatusValue> {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  signals.on("SIGTERM", end);
  signals.on("SIGINT", end);
  // Neither signals nor the clock's timers keep a process alive.
  const keepAlive = setInterval(() => {}, 3_600_000);
  let last: Promise<unknown> = Promise.resolve();
  const run = async (): Promise<void> => {
    last = last.then(action);
    await last;
  };
  // Follow first: what changes during the first action counts.
  const stops = await Promise.all(followers.map((follow) => follow(run)));
  try {
    await run();
    await ended;
    return ExitStatus.OK;
  } finally {
    for (const stop of stops) stop();
    clearInterval(keepAlive);
    signals.off("SIGTERM", end);
    signals.off("SIGINT", end);
  }
}
