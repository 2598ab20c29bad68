import { type Logger, pino, destination as pinoDestination } from "pino";

export type { Logger } from "pino";

/** Levels that a configuration may name, least talkative first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** One JSON line per event on standard error, so that standard output stays free for a command's answer. */
export function createLog(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pinoDestination({ fd: 2, sync: true }));
}

/** A log that keeps nothing. */
export function silentLog(): Logger {
  return pino({ level: "silent" });
}
