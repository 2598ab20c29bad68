import type { Cancel, Clock } from "./clock.ts";

/** Calls a function after changes, at once and then once for all that follow within an interval. */
export class Coalesced {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #callback: () => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: Cancel | undefined;

  constructor(clock: Clock, intervalMs: number, callback: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#callback = callback;
  }

  /** Something has changed. */
  changed(): void {
    if (this.#cancelTimer) return;
    const restMs = this.#lastMs + this.#intervalMs - this.#clock.nowMs();
    if (restMs <= 0) this.#call();
    else this.#cancelTimer = this.#clock.after(restMs, () => this.#call());
  }

  /** Forget what has not been called yet. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #call(): void {
    this.stop();
    this.#lastMs = this.#clock.nowMs();
    this.#callback();
  }
}
