import { type Address, formatAddress } from "../base/address.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { ExitStatus, type ExitStatusValue, type SignalSource } from "./command.ts";

/** Longest that ending at once may take before the process ends without it. */
const STOP_TIMEOUT_MS = 2_000;

/** What is served: the part of a gateway that signals act on. */
export interface Served {
  readonly listening: readonly Address[];
  readonly admin: Address | undefined;
  /** Resolves with why it cannot go on, should that happen. */
  readonly failed?: Promise<Error>;
  /**
   * Go away as this signal asks: resolves when running builds have ended or the grace period is over, and rejects where
   * some have ended badly.
   */
  drain(signal: NodeJS.Signals): Promise<void>;
  /** End at once. */
  stop(): Promise<void>;
}

/**
 * Start something and serve until a signal: the first drains and ends with 0, a
 * second ends at once with 1. Signals count from the call, also while it starts.
 *
 * Rejects with what `start` and `drain` reject with, and with why what is served cannot go on. Listens for signals only while it runs.
 */
export async function serveUntilSignal(
  start: () => Promise<Served>,
  signals: SignalSource,
  clock: Clock,
  log: Logger,
): Promise<ExitStatusValue> {
  const { first, second, ignore } = awaitSignals(signals);
  try {
    const served = await Promise.race([start(), second]);
    if (typeof served === "string") return ExitStatus.FAILED;
    const admin = served.admin && formatAddress(served.admin);
    log.info({ listening: served.listening.map(formatAddress), admin }, "serving");

    try {
      const signal = await Promise.race([first, failureOf(served)]);
      log.info({ signal }, "draining");
      const interrupt = await Promise.race([served.drain(signal), second]);
      if (interrupt) log.warn({ signal: interrupt }, "stopping at once");
      return interrupt ? ExitStatus.FAILED : ExitStatus.OK;
    } finally {
      await stopInTime(served, clock, log);
      log.info("stopped");
    }
  } finally {
    ignore();
  }
}

/** Rejects where it cannot go on, and never resolves. */
async function failureOf({ failed = new Promise(() => {}) }: Served): Promise<never> {
  throw await failed;
}

function awaitSignals(signals: SignalSource) {
  const waiting: ((signal: NodeJS.Signals) => void)[] = [];
  const nextInTurn = () => new Promise<NodeJS.Signals>((resolve) => waiting.push(resolve));
  const first = nextInTurn();
  const second = nextInTurn();
  const listener = (signal: NodeJS.Signals) => waiting.shift()?.(signal);
  const names: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];
  for (const name of names) signals.on(name, listener);
  return {
    first,
    second,
    ignore: () => {
      for (const name of names) signals.off(name, listener);
    },
  };
}

async function stopInTime(served: Served, clock: Clock, log: Logger): Promise<void> {
  let cancel: Cancel = () => {};
  const timeout = new Promise<void>((resolve) => {
    cancel = clock.after(STOP_TIMEOUT_MS, () => {
      log.warn({ timeoutMs: STOP_TIMEOUT_MS }, "not stopped in time");
      resolve();
    });
  });
  await Promise.race([served.stop(), timeout]);
  cancel();
}
