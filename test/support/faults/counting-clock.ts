import { type Cancel, type Clock, systemClock } from "../../../src/base/clock.ts";

/** The machine's clock, which knows how many of its timers are set. */
export class CountingClock implements Clock {
  readonly #set = new Set<object>();

  /** Timers that are set. */
  get timers(): number {
    return this.#set.size;
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  wallTime(): Date {
    return systemClock.wallTime();
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = {};
    this.#set.add(timer);
    const cancel = systemClock.after(delayMs, () => {
      this.#set.delete(timer);
      callback();
    });
    return () => {
      this.#set.delete(timer);
      cancel();
    };
  }
}
