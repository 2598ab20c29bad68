import type { Cancel, Clock } from "../base/clock.ts";
import type { WaitingBuild } from "./waiting-build.ts";

/** Everybody's place is looked at no more often than this, and nobody is told more often. */
const INTERVAL_MS = 100;

/** A build that waits, as an operator sees it. */
export interface WaitingState {
  /** What its cache is known by; else whose turn it takes. */
  readonly key: string;
  readonly waitedMs: number;
  /** For people; empty where that is about to change. */
  readonly cause: string;
}

/** Tells waiting builds their place and what they wait for, whenever that has changed. */
export class WaitingNews {
  readonly #clock: Clock;
  readonly #lines: () => readonly (readonly WaitingBuild[])[];
  readonly #causeOf: (build: WaitingBuild) => string | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #hasNewcomers = false;
  #cancelTimer: Cancel | undefined;

  /**
   * `lines`: who waits, in order; positions count in each line by itself.
   * `causeOf`: what a build waits for; `undefined` where it is not to be told.
   */
  constructor(
    clock: Clock,
    lines: () => readonly (readonly WaitingBuild[])[],
    causeOf: (build: WaitingBuild) => string | undefined,
  ) {
    this.#clock = clock;
    this.#lines = lines;
    this.#causeOf = causeOf;
  }

  /** Somebody has begun to wait: told at the next change without delay. */
  expectNewcomer(): void {
    this.#hasNewcomers = true;
  }

  /** Something may have changed. Tells now or, where the last time is too short ago, later. */
  changed(): void {
    const restMs = this.#lastMs + INTERVAL_MS - this.#clock.nowMs();
    if (restMs > 0 && !this.#hasNewcomers) this.#tellAfter(restMs);
    else this.#tell();
  }

  /** Who waits, the next first, at most `max`; of the first line, which is that of builds. */
  list(max: number): WaitingState[] {
    const nowMs = this.#clock.nowMs();
    return (this.#lines()[0] ?? []).slice(0, max).map((build) => ({
      key: build.request.key ?? build.fairKey,
      waitedMs: Math.round(nowMs - build.arrivedMs),
      cause: this.#causeOf(build) ?? "",
    }));
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  #tell(): void {
    this.#lastMs = this.#clock.nowMs();
    this.#hasNewcomers = false;
    let restMs = Number.POSITIVE_INFINITY;
    for (const line of this.#lines()) {
      // In a long line each change moves everybody: the longer it is, the less often each is told.
      const intervalMs = Math.max(INTERVAL_MS, line.length);
      for (const [index, build] of line.entries()) {
        const cause = this.#causeOf(build);
        if (cause === undefined) continue;
        const heldBackMs = build.tell({ position: index + 1, length: line.length, cause }, intervalMs);
        if (heldBackMs > 0) restMs = Math.min(restMs, heldBackMs);
      }
    }
    if (restMs < Number.POSITIVE_INFINITY) this.#tellAfter(restMs);
  }

  #tellAfter(delayMs: number): void {
    this.#cancelTimer ??= this.#clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#tell();
    });
  }
}
