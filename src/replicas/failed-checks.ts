import { type ServiceError, status } from "@grpc/grpc-js";
import { backoffDelayMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";

/** Wait before the next check of a replica whose last one failed. */
const READMIT = { minMs: 500, maxMs: 10_000 };

/** Where nothing can be reached for so long, no daemon runs; one that is restarted is there again sooner. */
const DOWN_MS = 10_000;

/** A daemon that is only busy answers sooner; what does not is cut off, or away with its address. */
const LOST_MS = 60_000;

/** How the checks of one replica have failed since the last good one. */
export class FailedChecks {
  readonly #clock: Clock;
  #count = 0;
  #sinceMs = 0;
  /** Since when each has failed because nothing is there to connect to. */
  #unreachableSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many, in a row. */
  get count(): number {
    return this.#count;
  }

  /** No daemon runs there: connections have been refused or lost for ten seconds. */
  get isDown(): boolean {
    return this.#unreachableSinceMs !== undefined && this.#clock.nowMs() - this.#unreachableSinceMs >= DOWN_MS;
  }

  /** It has not been well for a minute, and not since `sinceMs` by the clock, whatever the reason. */
  isLost(sinceMs: number): boolean {
    return this.#count > 0 && this.#clock.nowMs() - Math.max(this.#sinceMs, sinceMs) >= LOST_MS;
  }

  failed(error: Error): void {
    const nowMs = this.#clock.nowMs();
    if (this.#count++ === 0) this.#sinceMs = nowMs;
    const isUnreachable = (error as ServiceError).code === status.UNAVAILABLE;
    this.#unreachableSinceMs = isUnreachable ? (this.#unreachableSinceMs ?? nowMs) : undefined;
  }

  /** A check was good, or the next one is another daemon's. */
  reset(): void {
    this.#count = 0;
    this.#unreachableSinceMs = undefined;
  }

  /** Wait before the next check. `random` is in [0, 1). */
  delayMs(random: number): number {
    return backoffDelayMs(this.#count, READMIT, random);
  }
}
