/**
 * Draws decisions out of an input's octets. So every input, however structured
 * what is made of it, is octets: it can be mutated, shrunk, kept and repeated.
 * What is drawn beyond the end is 0.
 */
export class Draw {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Octets that have not been drawn. */
  get left(): number {
    return Math.max(0, this.#bytes.length - this.#at);
  }

  /** 0 to 255. */
  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** A whole number from 0 to `bound - 1`; `bound` is at most 2^24. */
  below(bound: number): number {
    if (bound <= 0x100) return this.byte() % bound;
    return (this.byte() * 0x1_0000 + this.byte() * 0x100 + this.byte()) % bound;
  }

  /** In [0, 1), for what draws by itself. */
  readonly fraction = (): number => (this.byte() * 0x1_0000 + this.byte() * 0x100 + this.byte()) / 0x100_0000;

  /** True in about `percent` of 100. */
  chance(percent: number): boolean {
    return this.byte() * 100 < percent * 0x100;
  }

  /** One of several. */
  pick<T>(options: readonly T[]): T {
    return options[this.below(options.length)]!;
  }

  /** The next octets, fewer where there are no more. */
  bytes(count: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  /** As many things as are drawn for, up to `most`. */
  several<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  /** All octets that are left. */
  rest(): Buffer {
    return this.bytes(this.left);
  }
}
