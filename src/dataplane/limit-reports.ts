import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { LIMIT_NAMES, type LimitedPeer, type LimitName } from "./over-limit.ts";
import { PacedEvents } from "./paced-events.ts";

/** Counts how often each limit was reached, and logs by whom: once for each peer, limit and minute. */
export class LimitReports {
  readonly #log: Logger;
  readonly #events: PacedEvents;
  readonly #hits: Record<LimitName, number>;

  constructor(clock: Clock, log: Logger) {
    this.#log = log;
    this.#events = new PacedEvents(clock);
    this.#hits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, 0])) as Record<LimitName, number>;
  }

  /** `peer` has gone past it. */
  hit(limit: LimitName, peer: LimitedPeer): void {
    this.#hits[limit]++;
    const count = this.#events.count(`${limit} ${Object.values(peer)[0]}`);
    if (count !== undefined) this.#log.warn({ ...peer, limit: `limits.${limit}`, count }, "limit reached");
  }

  /** How often each was reached since the start. */
  get hits(): Readonly<Record<LimitName, number>> {
    return this.#hits;
  }
}
