import type { Cancel, Clock } from "../../../src/base/clock.ts";

interface Timer {
  readonly atMs: number;
  /** Timers of the same time fire in the order they were set. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** A clock that jumps from one timer to the next. A binary heap: millions of timers are no burden. */
export class EventClock implements Clock {
  #nowMs = 0;
  #orders = 0;
  readonly #heap: Timer[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallTime(): Date {
    return new Date(this.#nowMs);
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer: Timer = { atMs: this.#nowMs + delayMs, order: this.#orders++, callback };
    this.#push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  /** Go to the next timer that is due before `endMs` and let it fire. False: there is none. */
  step(endMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > endMs) return false;
      this.#pop();
      if (next.callback === undefined) continue;
      this.#nowMs = next.atMs;
      next.callback();
      return true;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
