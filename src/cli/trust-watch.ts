import { systemClock } from "../base/clock.ts";
import { followFiles } from "../trust/follow-files.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue } from "./command.ts";

/**
 * Do something now and after each change of files, until SIGTERM or SIGINT, which end with 0.
 *
 * `action` tells itself what went wrong; the next change is another chance, so nothing ends it.
 */
export async function watchUntilSignal(
  paths: readonly string[],
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
  const onChange = async (): Promise<void> => {
    await action();
  };
  // Follow first: what changes during the first action counts.
  const stop = await followFiles({ paths, clock: systemClock, onChange });
  try {
    await action();
    await ended;
    return ExitStatus.OK;
  } finally {
    stop();
    clearInterval(keepAlive);
    signals.off("SIGTERM", end);
    signals.off("SIGINT", end);
  }
}
