/**
 * Reading Huffman-coded strings, half an octet at a time (RFC 7541 §5.2).
 *
 * Three ways were not taken: bit by bit is slow, a table per octet is 256 KiB
 * and misses the first cache, and writing such strings costs more time than
 * the bytes are worth next to what a build moves (see hpack-encoder.ts).
 */

/** The symbol that never occurs in a string; its first bits pad the last octet. */
const END_OF_STRING = 256;

/**
 * RFC 7541 appendix B as lengths: bits, then the symbols (hexadecimal, ranges)
 * whose code has that many. The code is canonical, so this is all of it: codes
 * count upwards through the symbols of one length and on into the next.
 */
const SYMBOLS_BY_CODE_BITS: readonly (readonly [bits: number, symbols: string])[] = [
  [5, "30-32 61 63 65 69 6f 73-74"],
  [6, "20 25 2d-2f 33-39 3d 41 5f 62 64 66-68 6c-6e 70 72 75"],
  [7, "3a 42-57 59 6a-6b 71 76-7a"],
  [8, "26 2a 2c 3b 58 5a"],
  [10, "21-22 28-29 3f"],
  [11, "27 2b 7c"],
  [12, "23 3e"],
  [13, "0 24 40 5b 5d 7e"],
  [14, "5e 7d"],
  [15, "3c 60 7b"],
  [19, "5c c3 d0"],
  [20, "80 82-83 a2 b8 c2 e0 e2"],
  [21, "99 a1 a7 ac b0-b1 b3 d1 d8-d9 e3 e5-e6"],
  [22, "81 84-86 88 92 9a 9c a0 a3-a4 a9-aa ad b2 b5 b9-bb bd-be c4 c6 e4 e8-e9"],
  [23, "1 87 89-8d 8f 93 95-98 9b 9d-9e a5-a6 a8 ae-af b4 b6-b7 bc bf c5 e7 ef"],
  [24, "9 8e 90-91 94 9f ab ce d7 e1 ec-ed"],
  [25, "c7 cf ea-eb"],
  [26, "c0-c1 c8-ca cd d2 d5 da-db ee f0 f2-f3 ff"],
  [27, "cb-cc d3-d4 d6 dd-df f1 f4-f8 fa-fe"],
  [28, "2-8 b-c e-15 17-1f 7f dc f9"],
  [30, "a d 16 100"],
];

/** One symbol's code: its value, right aligned, and how many bits of it count. */
export interface HuffmanCode {
  readonly code: number;
  readonly bits: number;
}

/** The code of each octet 0–255, and at 256 of the end-of-string symbol. */
export const HUFFMAN_CODES: readonly HuffmanCode[] = buildCodes();

function buildCodes(): HuffmanCode[] {
  const codes: HuffmanCode[] = [];
  let code = 0;
  let lastBits = 0;
  for (const [bits, symbols] of SYMBOLS_BY_CODE_BITS) {
    code <<= bits - lastBits;
    lastBits = bits;
    for (const range of symbols.split(" ")) {
      const [first, last = first] = range.split("-").map((hex) => Number.parseInt(hex, 16));
      for (let symbol = first!; symbol <= last!; symbol++) codes[symbol] = { code: code++, bits };
    }
  }
  return codes;
}

// A state is an inner node of the code's tree: what was read since the last whole symbol. 257 leaves make 256 of them.
const STATES = 256;
const INNER = -1;

// STEPS[state × 16 + nibble]: bits 0–7 the symbol, 8–15 the next state, 16 whether a symbol came out, 17 whether it was the end.
const HAS_SYMBOL = 1 << 16;
const IS_END = 1 << 17;
const STEPS = new Uint32Array(STATES * 16);

/** 1 where a string may end: after nothing, or after up to 7 bits of the end-of-string symbol, which are all ones. */
const MAY_END = new Uint8Array(STATES);

buildSteps();

function buildSteps(): void {
  // children[node × 2 + bit]: an inner node's number, or INNER - symbol - 1 for a leaf; 0 (the root, nobody's child) is unset.
  const children = new Int16Array(STATES * 2);
  let nodes = 1;
  HUFFMAN_CODES.forEach(({ code, bits }, symbol) => {
    let node = 0;
    for (let shift = bits - 1; shift > 0; shift--) {
      const at = node * 2 + ((code >> shift) & 1);
      if (children[at] === 0) children[at] = nodes++;
      node = children[at]!;
    }
    children[node * 2 + (code & 1)] = INNER - symbol;
  });
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let step = 0;
      for (let shift = 3; shift >= 0; shift--) {
        node = children[node * 2 + ((nibble >> shift) & 1)]!;
        if (node >= 0) continue;
        const symbol = INNER - node;
        step = symbol === END_OF_STRING ? IS_END : HAS_SYMBOL | symbol;
        if (step === IS_END) break;
        node = 0;
      }
      STEPS[state * 16 + nibble] = step === IS_END ? IS_END : step | (node << 8);
    }
  }
  for (let node = 0, bits = 0; bits <= 7; bits++) {
    MAY_END[node] = 1;
    node = children[node * 2 + 1]!;
  }
}

/** The shortest code has 5 bits, so `codedBytes` octets never hold more than this many symbols. */
export function maxHuffmanSymbols(codedBytes: number): number {
  return Math.floor((codedBytes * 8) / 5);
}

/**
 * Decode `coded[start, end)` into `out` from its beginning and return how many
 * octets came out, or -1 where the string is not valid: it holds the
 * end-of-string symbol, or does not end in at most 7 ones (RFC 7541 §5.2).
 *
 * `out` must hold {@link maxHuffmanSymbols} octets.
 */
export function decodeHuffman(coded: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const octet = coded[at]!;
    let step = STEPS[(state << 4) | (octet >> 4)]!;
    if (step >= HAS_SYMBOL) {
      if (step >= IS_END) return -1;
      out[length++] = step;
    }
    step = STEPS[((step >> 4) & 0xff0) | (octet & 15)]!;
    if (step >= HAS_SYMBOL) {
      if (step >= IS_END) return -1;
      out[length++] = step;
    }
    state = (step >> 8) & 0xff;
  }
  return MAY_END[state] === 1 ? length : -1;
}
