import type { Field } from "./hpack-encoder.ts";
import { decodeHuffman } from "./huffman.ts";

/** The static table (RFC 7541 appendix A), index 1 first. */
const STATIC_TABLE: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((status): Field => [":status", status]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...(
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control " +
    "content-disposition content-encoding content-language content-length content-location content-range content-type " +
    "cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since " +
    "last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after " +
    "server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"
  )
    .split(" ")
    .map((name): Field => [name, ""]),
];

/** Octets that an entry counts besides its name and value (RFC 7541 §4.1). */
const ENTRY_OVERHEAD_BYTES = 32;

/** A plain HPACK decoder for what peers send to a test: correct, unhurried, unlimited. Throws on a malformed block. */
export class PlainHpackDecoder {
  /** Newest first. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #maxTableBytes: number;
  /** How often blocks have changed the dynamic table, and how often they have referred to it. */
  tableChanges = 0;
  tableReads = 0;

  /** `maxTableBytes` is the SETTINGS_HEADER_TABLE_SIZE that this side announced. */
  constructor(maxTableBytes = 4_096) {
    this.#maxTableBytes = maxTableBytes;
  }

  decode(block: Buffer): Field[] {
    const fields: Field[] = [];
    let at = 0;
    const integer = (prefixBits: number): number => {
      const limit = (1 << prefixBits) - 1;
      let value = byteAt(block, at++) & limit;
      if (value < limit) return value;
      for (let factor = 1; ; factor *= 128) {
        const byte = byteAt(block, at++);
        value += (byte & 0x7f) * factor;
        if ((byte & 0x80) === 0) return value;
      }
    };
    const text = (): string => {
      const isHuffman = (byteAt(block, at) & 0x80) !== 0;
      const length = integer(7);
      if (at + length > block.length) throw new Error("an HPACK string goes past its block");
      const bytes = block.subarray(at, at + length);
      at += length;
      return isHuffman ? decodeHuffman(bytes) : bytes.toString("latin1");
    };
    const literal = (prefixBits: number): Field => {
      const index = integer(prefixBits);
      const name = index === 0 ? text() : this.#entry(index)[0];
      return [name, text()];
    };
    while (at < block.length) {
      const first = byteAt(block, at);
      if (first & 0x80) {
        fields.push(this.#entry(integer(7)));
      } else if (first & 0x40) {
        const field = literal(6);
        this.#add(field);
        fields.push(field);
      } else if (first & 0x20) {
        this.#maxTableBytes = integer(5);
        this.#evict();
        this.tableChanges++;
      } else {
        fields.push(literal(4));
      }
    }
    return fields;
  }

  #entry(index: number): Field {
    const field = index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table[index - STATIC_TABLE.length - 1];
    if (index > STATIC_TABLE.length) this.tableReads++;
    if (!field) throw new Error(`no HPACK entry ${index}`);
    return field;
  }

  #add(field: Field): void {
    this.#table.unshift(field);
    this.#tableBytes += entryBytes(field);
    this.#evict();
    this.tableChanges++;
  }

  #evict(): void {
    while (this.#tableBytes > this.#maxTableBytes) this.#tableBytes -= entryBytes(this.#table.pop()!);
  }
}

function entryBytes([name, value]: Field): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

function byteAt(block: Buffer, at: number): number {
  const byte = block[at];
  if (byte === undefined) throw new Error("an HPACK block ends too early");
  return byte;
}
