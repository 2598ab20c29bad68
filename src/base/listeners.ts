import type { Cancel } from "./clock.ts";

/** Those who hear of one kind of event. */
export class Listeners<Event extends readonly unknown[]> {
  readonly #all = new Set<(...event: Event) => void>();

  /** Hear of each event from now on, until the result is called. */
  add(listener: (...event: Event) => void): Cancel {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  /** Tell all, also those that leave while they are told. */
  tell(...event: Event): void {
    for (const listener of [...this.#all]) listener(...event);
  }

  clear(): void {
    this.#all.clear();
  }
}
