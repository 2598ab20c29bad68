import type { Clock } from "../base/clock.ts";

/**
 * Counts frames that cost their sender nothing and us something. A connection
 * that moves data earns the right to as many (grpc-go sends a PING for each
 * bandwidth estimate, about 1,000 for 50 MB); beyond that a rate applies.
 */
export class FloodMeter {
  readonly #clock: Clock;
  readonly #maxPerSecond: number;
  readonly #maxEarned: number;
  #windowStartMs: number;
  #counted = 0;
  #earned = 0;

  /** `maxEarned`: what may be saved up. Default: one second's worth. */
  constructor(clock: Clock, maxPerSecond: number, maxEarned = maxPerSecond) {
    this.#clock = clock;
    this.#maxPerSecond = maxPerSecond;
    this.#maxEarned = maxEarned;
    this.#windowStartMs = clock.nowMs();
  }

  /** Useful work was done: so many more frames are in order. */
  earn(frames = 1): void {
    this.#earned = Math.min(this.#earned + frames, this.#maxEarned);
  }

  /** Count one frame, or one that costs as much as several; true when it is one too many. */
  isExceededByOneMore(weight = 1): boolean {
    if (this.#earned >= weight) {
      this.#earned -= weight;
      return false;
    }
    this.#counted += weight;
    if (this.#counted <= this.#maxPerSecond) return false;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs < 1_000) return true;
    this.#windowStartMs = nowMs;
    this.#counted = weight;
    return weight > this.#maxPerSecond;
  }
}
