import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../support/seeded-random.ts";

/** What one part of the load goes by: chances that come from a seed of its own, and the end of the run. */
export class Course {
  readonly #random: () => number;
  readonly #ending: AbortSignal;

  constructor(seed: number, ending: AbortSignal) {
    this.#random = seededRandom(seed);
    this.#ending = ending;
  }

  /** Whether the run is over: nothing new is begun. */
  get isOver(): boolean {
    return this.#ending.aborted;
  }

  /** True in this share of cases. */
  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** A number between two. */
  between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }

  /** One of several, each with its weight. */
  pick<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let rest = this.#random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      rest -= weight;
      if (rest < 0) return name;
    }
    return entries.at(-1)![0];
  }

  /** The same in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(Math.floor(this.#random() * rest.length), 1)[0]!);
  }

  /** Wait for a time between two, in ms, or until the run is over. */
  async pause(leastMs: number, mostMs: number): Promise<void> {
    await delay(this.between(leastMs, mostMs), undefined, { signal: this.#ending }).catch(() => {
      // Over: whoever waits looks at `isOver`.
    });
  }
}
