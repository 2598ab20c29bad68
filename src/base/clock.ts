/** Where time comes from. Tests inject their own, so that no test sleeps. */
export interface Clock {
  /** Milliseconds of a monotonic clock with an arbitrary origin. */
  nowMs(): number;
  /** The wall clock, for what people and peers read. */
  wallTime(): Date;
  /** Run `callback` once after `delayMs`; returns the way to stop it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** Stops what was started. Calling it twice, or after the event, does nothing. */
export type Cancel = () => void;

/** The machine's clock and Node's timers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallTime: () => new Date(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
