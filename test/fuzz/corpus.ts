import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FuzzTarget } from "./fuzz-target.ts";
import { type MutationOptions, mutate, randomOctets } from "./mutation.ts";

/** Inputs that are kept for having reached new code. When there are more, one of them goes. */
const MAX_KEPT = 200;

/** Of 100 inputs, those made of nothing but random octets. */
const FRESH_PERCENT = 15;

/** Inputs kept by hand, of what was once found: `corpus/<target>/<what>.bin`. */
const FOLDER = join(import.meta.dirname, "corpus");

/** The inputs that further ones are made from. */
export class Corpus {
  readonly #options: MutationOptions;
  /** Stay for good: the target's own, and what was once found. */
  readonly #given: readonly Buffer[];
  readonly #kept: Buffer[] = [];

  constructor({ maxInputBytes, seeds = [], tokens = [], name }: FuzzTarget, random: () => number) {
    this.#options = { random, tokens, maxBytes: maxInputBytes };
    this.#given = [...seeds, ...foundBefore(name)];
  }

  /** Inputs to run as they are before all others. */
  get given(): readonly Buffer[] {
    return this.#given;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Make the next input. */
  next(): Buffer {
    const { random, maxBytes } = this.#options;
    if (random() * 100 < FRESH_PERCENT) return randomOctets(random, maxBytes);
    return mutate(this.#any(), this.#any(), this.#options);
  }

  /** Keep an input that reached new code. */
  keep(input: Buffer): void {
    const copy = Buffer.from(input);
    if (this.#kept.length < MAX_KEPT) this.#kept.push(copy);
    else this.#kept[Math.floor(this.#options.random() * MAX_KEPT)] = copy;
  }

  #any(): Buffer {
    const { random, maxBytes } = this.#options;
    const index = Math.floor(random() * (this.#given.length + this.#kept.length));
    return this.#given[index] ?? this.#kept[index - this.#given.length] ?? randomOctets(random, maxBytes);
  }
}

function foundBefore(name: string): Buffer[] {
  const folder = join(FOLDER, name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => readFileSync(join(folder, file)));
}
