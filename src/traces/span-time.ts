import type { HrTime } from "@opentelemetry/api";
import type { Clock } from "../base/clock.ts";

/** Times of one build's spans: read from the monotonic clock, so that none ends before it began, and told as of the epoch. */
export class SpanTime {
  readonly #clock: Clock;
  readonly #epochMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#epochMs = clock.wallTime().getTime() - clock.nowMs();
  }

  /** Now, in seconds and nanoseconds. */
  now(): HrTime {
    return this.at(this.#clock.nowMs());
  }

  /** A time of the monotonic clock. */
  at(ms: number): HrTime {
    const epochMs = this.#epochMs + ms;
    const seconds = Math.floor(epochMs / 1_000);
    return [seconds, Math.min(999_999_999, Math.round((epochMs - seconds * 1_000) * 1e6))];
  }
}
