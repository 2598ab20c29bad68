import { type DestinationStream, type Logger, pino, destination as pinoDestination } from "pino";

export type { Logger } from "pino";

/** Levels that a configuration may name, least talkative first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Loggers that were made from one, as long as somebody has them. */
const CHILDREN = new WeakMap<Logger, Set<WeakRef<Logger>>>();

/**
 * One JSON line per event on standard error, so that standard output stays free for a command's answer.
 * `base` is in each line; by default nothing is.
 */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pinoDestination({ fd: 2, sync: true }),
  base: Readonly<Record<string, unknown>> | null = null,
): Logger {
  const children = new Set<WeakRef<Logger>>();
  const gone = new FinalizationRegistry<WeakRef<Logger>>((child) => children.delete(child));
  const onChild = (child: Logger): void => {
    const reference = new WeakRef(child);
    children.add(reference);
    gone.register(child, reference);
  };
  const log = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime, onChild }, destination);
  CHILDREN.set(log, children);
  return log;
}

/** Change what a log of {@link createLog}, and all that was made from it, tells from now on; that, too, is told. */
export function setLogLevel(log: Logger, level: LogLevel): void {
  const from = log.level;
  // Not as `level`: the line has that already.
  const tell = (): void => log.info({ from, to: level }, "log level changed");
  const isToldBefore = log.isLevelEnabled("info");
  if (isToldBefore) tell();
  log.level = level;
  for (const child of CHILDREN.get(log) ?? []) {
    const known = child.deref();
    if (known) known.level = level;
  }
  if (!isToldBefore) tell();
}

/** A log that keeps nothing. */
export function silentLog(): Logger {
  return pino({ level: "silent" });
}
