import type { HeaderField } from "./header-field.ts";
import { type DecodedHeaders, HpackDecoder, type HpackDecoderOptions } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

/** Header lists that are remembered for each direction of a connection: a client repeats a few methods. */
const REMEMBERED = 4;

/** Longest block that is remembered. */
const MAX_BLOCK_BYTES = 1_024;

interface Remembered<Key> {
  readonly key: Key;
  readonly block: Buffer;
}

/** All of them from the start: an array that grows with its first element has room for 17. */
function places<T>(): (T | undefined)[] {
  return new Array(REMEMBERED);
}

/**
 * A decoder that does not read the same block twice. Octets that are the same
 * mean the same for as long as the dynamic table has not changed, and calls of
 * one method repeat their headers to the octet. What it returns is shared:
 * nobody may change it.
 */
export class RepeatingDecoder {
  readonly #decoder: HpackDecoder;
  readonly #remembered = places<Remembered<DecodedHeaders> & { readonly tableChanges: number }>();
  #next = 0;

  constructor(options: HpackDecoderOptions) {
    this.#decoder = new HpackDecoder(options);
  }

  /** See {@link HpackDecoder.decode}. */
  decode(block: Buffer): DecodedHeaders {
    const { tableChanges } = this.#decoder;
    for (const known of this.#remembered) {
      if (known?.tableChanges === tableChanges && known.block.equals(block)) return known.key;
    }
    const decoded = this.#decoder.decode(block);
    if (this.#decoder.tableChanges === tableChanges && block.length <= MAX_BLOCK_BYTES) {
      this.#remembered[this.#next] = { key: decoded, block: Buffer.from(block), tableChanges };
      this.#next = (this.#next + 1) % REMEMBERED;
    }
    return decoded;
  }
}

/** An encoder that does not write the same list twice: the same array of fields gives the same block. */
export class RepeatingEncoder {
  readonly #encoder = new HpackEncoder();
  readonly #remembered = places<Remembered<readonly HeaderField[]>>();
  #next = 0;
  #hasStarted = false;

  /** See {@link HpackEncoder.encode}. */
  encode(fields: readonly HeaderField[]): Buffer {
    for (const known of this.#remembered) if (known?.key === fields) return known.block;
    const block = this.#encoder.encode(fields);
    // The first block alone says that no table is used.
    if (this.#hasStarted && block.length <= MAX_BLOCK_BYTES) {
      this.#remembered[this.#next] = { key: fields, block: Buffer.from(block) };
      this.#next = (this.#next + 1) % REMEMBERED;
    }
    this.#hasStarted = true;
    return block;
  }
}
