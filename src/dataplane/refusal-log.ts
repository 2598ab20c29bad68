import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";

/** A client that is refused again says nothing new for this long. */
const QUIET_MS = 60_000;

/** Clients that are remembered; beyond it the one that was heard of first is forgotten. */
const MAX_CLIENTS = 1_000;

/** Logs why clients are refused: once for each client, reason and minute, however often it tries. */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** When it may be said again, by client and reason. */
  readonly #quietUntilMs = new Map<string, number>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `host` is the client's address without its port; `fields`: what else is known. */
  refused(host: string, reason: string, fields: Readonly<Record<string, string>> = {}): void {
    const key = `${host} ${reason}`;
    const nowMs = this.#clock.nowMs();
    if (nowMs < (this.#quietUntilMs.get(key) ?? 0)) return;
    this.#quietUntilMs.delete(key);
    this.#quietUntilMs.set(key, nowMs + QUIET_MS);
    if (this.#quietUntilMs.size > MAX_CLIENTS) this.#quietUntilMs.delete(this.#quietUntilMs.keys().next().value!);
    this.#log.warn({ client: host, reason, ...fields }, "client refused");
  }
}
