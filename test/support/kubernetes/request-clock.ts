import type { Cancel, Clock } from "../../../src/base/clock.ts";
import { FakeClock } from "../fake-clock.ts";

/** Timers of this length and longer watch over requests and watches; shorter ones are waits of the client's own. */
const GUARD_MS = 15_000;

/** Guards of a watch that is open. */
const SILENCE_MS = 90_000;

/** A clock that a test moves, for a client whose requests take real time: it tells whether one is under way. */
export class RequestClock implements Clock {
  readonly #fake = new FakeClock();
  readonly #timers = new Set<{ readonly delayMs: number; readonly atMs: number }>();
  /** Each wait of the client's own, in order. */
  readonly waitsMs: number[] = [];

  nowMs(): number {
    return this.#fake.nowMs();
  }

  wallTime(): Date {
    return this.#fake.wallTime();
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { delayMs, atMs: this.nowMs() + delayMs };
    this.#timers.add(timer);
    if (delayMs < GUARD_MS) this.waitsMs.push(delayMs);
    const cancel = this.#fake.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    return () => {
      this.#timers.delete(timer);
      cancel();
    };
  }

  advance(delayMs: number): void {
    this.#fake.advance(delayMs);
  }

  /** Delays that the timers that are set were given. */
  get delaysMs(): number[] {
    return [...this.#timers].map(({ delayMs }) => delayMs);
  }

  /** The client has a watch open. */
  get isWatching(): boolean {
    return [...this.#timers].some(({ delayMs }) => delayMs >= SILENCE_MS);
  }

  /** Move on to the end of the client's own next wait, unless a request is under way. */
  skipWait(): void {
    const timers = [...this.#timers];
    if (timers.some(({ delayMs }) => delayMs >= GUARD_MS && delayMs < SILENCE_MS)) return;
    const waits = timers.filter(({ delayMs }) => delayMs < GUARD_MS).map(({ atMs }) => atMs - this.nowMs());
    if (waits.length > 0) this.advance(Math.min(...waits));
  }
}
