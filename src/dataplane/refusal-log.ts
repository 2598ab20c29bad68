import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { PacedEvents } from "./paced-events.ts";

/** Logs why clients are refused: once for each client, reason and minute, however often it tries. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #events: PacedEvents;

  constructor(clock: Clock, log: Logger) {
    this.#log = log;
    this.#events = new PacedEvents(clock);
  }

  /** `host` is the client's address without its port; `fields`: what else is known. */
  refused(host: string, reason: string, fields: Readonly<Record<string, string>> = {}): void {
    const count = this.#events.count(`${host} ${reason}`);
    if (count !== undefined) this.#log.warn({ client: host, reason, count, ...fields }, "client refused");
  }
}
