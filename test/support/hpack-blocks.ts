import { HUFFMAN_CODES } from "../../src/http2/hpack-huffman.ts";
import { encodeInteger } from "./raw-http2/hpack-encoder.ts";

/** A string of a header block: its octets, and whether they are Huffman-coded. */
export interface BlockString {
  readonly octets: Buffer;
  readonly isHuffman: boolean;
  /** The octets are the code already, right or wrong. Default false. */
  readonly isCoded?: boolean;
}

/** One representation of RFC 7541 §6, right or wrong. */
export type Representation =
  | { readonly t: "indexed"; readonly index: number }
  | { readonly t: "tableSize"; readonly bytes: number }
  | {
      readonly t: "literal";
      readonly kind: "indexed" | "notIndexed" | "neverIndexed";
      /** An index, or the name itself. */
      readonly name: number | BlockString;
      readonly value: BlockString;
    };

/** The first octet of each kind of literal, and the bits that its index has there. */
const LITERALS = { indexed: [0x40, 6], notIndexed: [0x00, 4], neverIndexed: [0x10, 4] } as const;

/** A header block of these representations: what the product's encoder never writes, but its decoder must read. */
export function headerBlock(...representations: readonly Representation[]): Buffer {
  return Buffer.concat(representations.map(encodeRepresentation));
}

function encodeRepresentation(it: Representation): Buffer {
  if (it.t === "indexed") return encodeInteger(it.index, 7, 0x80);
  if (it.t === "tableSize") return encodeInteger(it.bytes, 5, 0x20);
  const [pattern, prefixBits] = LITERALS[it.kind];
  const name = typeof it.name === "number" ? Buffer.alloc(0) : encodeString(it.name);
  const index = encodeInteger(typeof it.name === "number" ? it.name : 0, prefixBits, pattern);
  return Buffer.concat([index, name, encodeString(it.value)]);
}

function encodeString({ octets, isHuffman, isCoded = false }: BlockString): Buffer {
  const coded = isHuffman && !isCoded ? encodeHuffman(octets) : octets;
  return Buffer.concat([encodeInteger(coded.length, 7, isHuffman ? 0x80 : 0), coded]);
}

/** A field that the peer shall remember, its name written out. */
export function remembered(name: string, value: string, isHuffman = false): Representation {
  return { t: "literal", kind: "indexed", name: text(name, isHuffman), value: text(value, isHuffman) };
}

/** A string of a header block from text. */
export function text(latin1: string, isHuffman = false): BlockString {
  return { octets: Buffer.from(latin1, "latin1"), isHuffman };
}

/** RFC 7541 §5.2, padded with ones. */
export function encodeHuffman(octets: Uint8Array): Buffer {
  let bits = "";
  for (const octet of octets) {
    const { code, bits: length } = HUFFMAN_CODES[octet]!;
    bits += code.toString(2).padStart(length, "0");
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from(
    Array.from({ length: bits.length / 8 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2)),
  );
}
