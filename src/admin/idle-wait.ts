import type { Cancel, Clock } from "../base/clock.ts";
import type { Replica } from "../replicas/replica.ts";

/** The part of a fleet that tells when builds end. */
interface BusyFleet {
  replica(id: string): Replica | undefined;
  onChange(listener: (replica: Replica) => void): Cancel;
  onLoad(listener: () => void): Cancel;
}

/** How long to wait, in what time. */
interface WaitOptions {
  readonly clock: Clock;
  /** Whether no client needs the replica any more: no event tells when. */
  readonly isSettled: () => boolean;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
}

/** How often a replica without builds is looked at until its clients need it no more. */
const SETTLE_CHECK_MS = 250;

/**
 * Resolves with true once a replica is known to run no build and no client needs
 * it, at once where that is so, and with false when the time is up or `signal` is
 * aborted. One that is not there any more runs none; one that has gone may still.
 */
export function whenIdle(
  fleet: BusyFleet,
  id: string,
  waitMs: number,
  { clock, signal, isSettled }: WaitOptions,
): Promise<boolean> {
  const runsNone = () => isKnownIdle(fleet.replica(id));
  if (runsNone() && isSettled()) return Promise.resolve(true);
  if (waitMs === 0 || signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (outcome: boolean) => {
      for (const cancel of cancels) cancel();
      signal.removeEventListener("abort", giveUp);
      resolve(outcome);
    };
    const giveUp = () => end(false);
    let cancelCheck: Cancel = () => {};
    const look = () => {
      cancelCheck();
      if (!runsNone()) return;
      if (isSettled()) end(true);
      else cancelCheck = clock.after(SETTLE_CHECK_MS, look);
    };
    const cancels = [fleet.onChange(look), fleet.onLoad(look), clock.after(waitMs, giveUp), () => cancelCheck()];
    signal.addEventListener("abort", giveUp, { once: true });
    look();
  });
}

/** Whether nobody's build runs there. A replica that is not there runs none. */
export function isKnownIdle(replica: Replica | undefined): boolean {
  return replica === undefined || (replica.runningBuilds === 0 && replica.loadUnknown === undefined);
}
