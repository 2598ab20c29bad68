import type { Cancel } from "../base/clock.ts";
import type { Replica } from "../replicas/replica.ts";

/** Names that are kept; the oldest goes first. */
const MAX_NAMES = 1_000;

/** Tells of state changes: a fleet. */
interface ChangingFleet {
  onChange(listener: (replica: Replica) => void): Cancel;
}

/**
 * Remembers replicas that have gone. A pod that is being stopped may ask whether
 * it is idle after discovery has dropped it, and must not be told that it is
 * unknown. Listens for as long as the fleet lives.
 */
export class GoneReplicas {
  readonly #names = new Set<string>();

  constructor(fleet: ChangingFleet) {
    fleet.onChange(({ id, state }) => {
      this.#names.delete(id);
      if (state.t !== "gone") return;
      this.#names.add(id);
      if (this.#names.size > MAX_NAMES) this.#names.delete(this.#names.values().next().value!);
    });
  }

  has(id: string): boolean {
    return this.#names.has(id);
  }
}
