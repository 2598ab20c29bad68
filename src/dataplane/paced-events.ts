import type { Clock } from "../base/clock.ts";

/** What has been told is not told again for this long. */
const QUIET_MS = 60_000;

/** Kinds of events that are told of in that time; what more there is counts silently. */
const MAX_KEYS = 1_000;

/** Decides which of many events are told: of each key the first, and then once a minute how many there were. */
export class PacedEvents {
  readonly #clock: Clock;
  /** By key, those that were told first come first. `untold`: since then. */
  readonly #told = new Map<string, { readonly atMs: number; untold: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One more. The number of events that are to be told of now, this one included; `undefined`: none. */
  count(key: string): number | undefined {
    const nowMs = this.#clock.nowMs();
    const known = this.#told.get(key);
    if (known && nowMs - known.atMs < QUIET_MS) {
      known.untold++;
      return undefined;
    }
    this.#told.delete(key);
    if (!this.#hasRoom(nowMs)) return undefined;
    this.#told.set(key, { atMs: nowMs, untold: 0 });
    return (known?.untold ?? 0) + 1;
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#told.size < MAX_KEYS) return true;
    const [key, oldest] = this.#told.entries().next().value!;
    if (nowMs - oldest.atMs < QUIET_MS) return false;
    this.#told.delete(key);
    return true;
  }
}
