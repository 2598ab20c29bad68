import { systemClock } from "../base/clock.ts";
import { createLog, type Logger, type LogLevel, setLogLevel } from "../base/log.ts";
import { readableLog } from "../base/readable-log.ts";
import type { LoadResult } from "../config/load.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { type Served, serveUntilSignal } from "./serve-until-signal.ts";
import { describeStartError } from "./start-error.ts";

/** Changes the log between `debug` and what is configured. SIGUSR1 is the debugger's (nodejs.org, "Signal events"). */
const TOGGLE = "SIGUSR2";

/** The part of a configuration that every service has. */
interface ServiceConfig {
  readonly log: { readonly level: LogLevel };
  readonly drain: { readonly delay: number };
}

/** What serves, and is told how long to go on accepting when it is to go away. */
interface Service extends Omit<Served, "drain"> {
  drain(delayMs: number): Promise<void>;
  /** The level of the log has been changed by a signal. */
  logLevelChanged?(level: LogLevel): void;
}

/**
 * Start a service as configured, and serve until a signal ends it. What is wrong
 * with the configuration, or keeps it from starting, is told on standard error.
 */
export async function runService<T extends ServiceConfig>(
  loaded: LoadResult<T>,
  context: CommandContext,
  start: (config: T, log: Logger) => Promise<Service>,
): Promise<ExitStatusValue> {
  if (loaded.t === "invalid") {
    context.complain(describeProblems(loaded.problems, "configuration"));
    return ExitStatus.USAGE;
  }
  const { config } = loaded;
  const log = openLog(config.log.level, context);
  let service: Service | undefined;
  const serve = async (): Promise<Served> => {
    const started = await start(config, log);
    service = started;
    // Who presses Ctrl-C is no load balancer.
    return { ...started, drain: (signal) => started.drain(signal === "SIGINT" ? 0 : config.drain.delay) };
  };
  const toggle = (): void => {
    const level = log.level === "debug" ? config.log.level : "debug";
    setLogLevel(log, level);
    service?.logLevelChanged?.(level);
  };
  context.signals.on(TOGGLE, toggle);
  try {
    return await serveUntilSignal(serve, context.signals, systemClock, log);
  } catch (reason) {
    log.debug({ err: reason }, "serving failed");
    context.complain(`${PROGRAM}: ${describeStartError(reason)}\n`);
    return ExitStatus.FAILED;
  } finally {
    context.signals.off(TOGGLE, toggle);
  }
}

/** For people at a terminal, else for programs. */
function openLog(level: LogLevel, { complainsToTerminal, complain, env }: CommandContext): Logger {
  if (!complainsToTerminal) return createLog(level);
  // An empty NO_COLOR counts as none (no-color.org).
  return createLog(level, readableLog({ write: complain, hasColours: !env.NO_COLOR }));
}
