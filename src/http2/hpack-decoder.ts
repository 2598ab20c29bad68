import { ConnectionError, ErrorCode } from "./errors.ts";
import type { HeaderField } from "./header-field.ts";
import { DynamicTable, FIELD_OVERHEAD_BYTES } from "./hpack-dynamic-table.ts";
import { InternedField } from "./hpack-field.ts";
import { decodeHuffman, maxHuffmanSymbols } from "./hpack-huffman.ts";
import { FIRST_DYNAMIC_INDEX, STATIC_FIELDS } from "./hpack-static-table.ts";

/** What a header table holds until SETTINGS say otherwise (RFC 9113 §6.5.2). */
const DEFAULT_TABLE_BYTES = 4_096;

/** An integer may take this many octets beyond its prefix, which bounds it to 2^28 + 126 (RFC 7541 §5.1 asks for a bound). */
const MAX_INTEGER_OCTETS = 4;

/** Between blocks, so that an idle connection keeps none alive. */
const NO_BLOCK = Buffer.alloc(0);

/** What a decoder bounds. */
export interface HpackDecoderOptions {
  /** The SETTINGS_HEADER_TABLE_SIZE that we announced, in octets. Default 4,096. */
  readonly maxTableBytes?: number;
  /** Longest header list that is handed out, as RFC 9113 §6.5.2 counts: name + value + 32 octets for each field. */
  readonly maxListBytes: number;
}

/** A header list, or how long it would have been. After either, the decoder is in step with its peer. */
export type DecodedHeaders =
  | { readonly t: "ok"; readonly fields: readonly HeaderField[] }
  | { readonly t: "tooLarge"; readonly listBytes: number };

/**
 * Reads the header blocks of one direction of one connection, in their order (RFC 7541).
 *
 * A field that the peer took from a table is the same object each time, which
 * makes it cheap to send on. Names are handed out as they came, upper case
 * included: what a name may be is not HPACK's to judge.
 */
export class HpackDecoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  /** A peer that has not read our SETTINGS yet may use the default size even where we announced less. */
  #resizeLimitBytes: number;
  #block: Buffer = NO_BLOCK;
  #at = 0;
  #tableChanges = 0;

  constructor(options: HpackDecoderOptions) {
    this.#maxTableBytes = options.maxTableBytes ?? DEFAULT_TABLE_BYTES;
    this.#resizeLimitBytes = Math.max(this.#maxTableBytes, DEFAULT_TABLE_BYTES);
    this.#maxListBytes = options.maxListBytes;
  }

  /** Grows whenever the dynamic table changes; until then, the same octets mean the same fields. */
  get tableChanges(): number {
    return this.#tableChanges;
  }

  /**
   * Decode one whole header block: HEADERS and its CONTINUATIONs, joined.
   *
   * Time and memory are bounded by the block's length and `maxListBytes`,
   * however often the block refers to a large entry. Throws a ConnectionError
   * with COMPRESSION_ERROR for whatever is malformed; the decoder is of no use
   * after that, and neither is the connection.
   */
  decode(block: Uint8Array): DecodedHeaders {
    this.#block = Buffer.isBuffer(block) ? block : Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    this.#at = 0;
    this.#readTableSizes();
    let fields: HeaderField[] = [];
    let listBytes = 0;
    while (this.#at < block.length) {
      const field = this.#readField(block[this.#at]!);
      listBytes += field.name.length + field.value.length + FIELD_OVERHEAD_BYTES;
      if (listBytes <= this.#maxListBytes) fields.push(field);
      else if (fields.length > 0) fields = [];
    }
    this.#block = NO_BLOCK;
    return listBytes > this.#maxListBytes ? { t: "tooLarge", listBytes } : { t: "ok", fields };
  }

  /** Changes of the table's size come before the first field (RFC 7541 §4.2, §6.3). */
  #readTableSizes(): void {
    while (this.#at < this.#block.length && (this.#block[this.#at]! & 0xe0) === 0x20) {
      const capacityBytes = this.#readInteger(0x1f);
      if (capacityBytes > this.#resizeLimitBytes) {
        throw malformed(`table size ${capacityBytes} exceeds the announced ${this.#resizeLimitBytes}`);
      }
      if (capacityBytes <= this.#maxTableBytes) this.#resizeLimitBytes = this.#maxTableBytes;
      this.#table.resize(capacityBytes);
      this.#tableChanges++;
    }
  }

  #readField(octet: number): HeaderField {
    if (octet >= 0x80) return this.#fieldAt(this.#readInteger(0x7f));
    if (octet >= 0x40) {
      const name = this.#readName(0x3f);
      const field = new InternedField(name, this.#readString());
      this.#tableChanges++;
      if (this.#table.makeRoom(name.length + field.value.length)) this.#table.add(field);
      return field;
    }
    if (octet >= 0x20) throw malformed("table size changed in the middle of a header block");
    const name = this.#readName(0x0f);
    return { name, value: this.#readString(), isSensitive: octet >= 0x10 };
  }

  #fieldAt(index: number): InternedField {
    const field = index < FIRST_DYNAMIC_INDEX ? STATIC_FIELDS[index] : this.#table.at(index - FIRST_DYNAMIC_INDEX);
    if (!field) throw malformed(`no header field has index ${index}`);
    return field;
  }

  #readName(prefixMask: number): string {
    const index = this.#readInteger(prefixMask);
    return index === 0 ? this.#readString() : this.#fieldAt(index).name;
  }

  /** RFC 7541 §5.1. The prefix mask has a one for each bit that belongs to the integer's prefix. */
  #readInteger(prefixMask: number): number {
    const prefix = this.#readOctet() & prefixMask;
    if (prefix < prefixMask) return prefix;
    let value = prefix;
    for (let shift = 0; shift < 7 * MAX_INTEGER_OCTETS; shift += 7) {
      const octet = this.#readOctet();
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw malformed(`integer of more than ${MAX_INTEGER_OCTETS} octets`);
  }

  /** RFC 7541 §5.2. */
  #readString(): string {
    const isHuffman = this.#at < this.#block.length && this.#block[this.#at]! >= 0x80;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw malformed(`string of ${length} octets ends after its header block`);
    this.#at = end;
    if (length === 0) return "";
    if (!isHuffman) return this.#block.toString("latin1", start, end);
    const out = scratchFor(maxHuffmanSymbols(length));
    const symbols = decodeHuffman(this.#block, start, end, out);
    if (symbols < 0) throw malformed("invalid Huffman code");
    return out.toString("latin1", 0, symbols);
  }

  #readOctet(): number {
    const octet = this.#block[this.#at++];
    if (octet === undefined) throw malformed("header block ends in the middle of a field");
    return octet;
  }
}

/** Where strings are unpacked, by every decoder in turn; what outgrows it gets room of its own. */
const SCRATCH = Buffer.allocUnsafeSlow(16_384);

function scratchFor(bytes: number): Buffer {
  return bytes <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(bytes);
}

function malformed(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `malformed header block: ${what}`);
}
