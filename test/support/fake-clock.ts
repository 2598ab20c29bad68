import type { Cancel, Clock } from "../../src/base/clock.ts";

/** A clock that moves only when a test moves it. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  #onTimerSet: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** Starts at the epoch. */
  wallTime(): Date {
    return new Date(this.#nowMs);
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    for (const resolve of this.#onTimerSet.splice(0)) resolve();
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Move on by `delayMs`; what falls due on the way runs in order, at its own time. */
  advance(delayMs: number): void {
    const endMs = this.#nowMs + delayMs;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
    }
    this.#nowMs = endMs;
  }

  /** Delays until each timer that is set, soonest first. */
  get delaysMs(): number[] {
    return this.#timers.map(({ atMs }) => atMs - this.#nowMs).sort((one, other) => one - other);
  }

  /** Resolves when the next timer is set. */
  nextTimer(): Promise<void> {
    return new Promise((resolve) => this.#onTimerSet.push(resolve));
  }
}
