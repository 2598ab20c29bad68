import type { Clock } from "../base/clock.ts";

/**
 * Counts frames that cost their sender nothing and us something. A connection
 * that moves data earns the right to as many (grpc-go sends a PING for each
 * bandwidth estimate, about 1,000 for 50 MB); beyond that a rate applies.
 */
export class FloodMeter {
  readonly #clock: Clock;
  readonly #maxPerSecond: number;
  #windowStartMs: number;
  #counted = 0;
  #earned = 0;

  constructor(clock: Clock, maxPerSecond: number) {
    this.#clock = clock;
    this.#maxPerSecond = maxPerSecond;
    this.#windowStartMs = clock.nowMs();
  }

  /** Useful work was done: one more control frame is in order. */
  earn(): void {
    if (this.#earned < this.#maxPerSecond) this.#earned++;
  }

  /** Count one frame; true when it is one too many. */
  isExceededByOneMore(): boolean {
    if (this.#earned > 0) {
      this.#earned--;
      return false;
    }
    this.#counted++;
    if (this.#counted <= this.#maxPerSecond) return false;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs < 1_000) return true;
    this.#windowStartMs = nowMs;
    this.#counted = 1;
    return false;
  }
}
