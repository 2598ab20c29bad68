import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeHuffman, HUFFMAN_CODES, maxHuffmanSymbols } from "../../../src/http2/hpack-huffman.ts";
import { encodeHuffman } from "../../support/hpack-blocks.ts";
import { decodeHuffman as decodeBitByBit } from "../../support/raw-http2/huffman.ts";

const EOS = 256;

test("every octet comes back, at each position in its octet", () => {
  for (let symbol = 0; symbol < EOS; symbol++) {
    for (let before = 0; before < 8; before++) {
      const text = Buffer.concat([Buffer.alloc(before, "a"), Buffer.of(symbol), Buffer.from("z")]);
      expect(decode(encodeHuffman(text))).toEqual(text);
    }
  }
});

test("the longest string that a code may hold fits where its bound says", () => {
  const coded = encodeHuffman(Buffer.alloc(1_000, "0"));
  expect(maxHuffmanSymbols(coded.length)).toBe(1_000);
  expect(decode(coded)).toEqual(Buffer.alloc(1_000, "0"));
});

test("an empty string is a string", () => {
  expect(decode(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
});

test.each([
  ["8 bits of padding", "ff"],
  ["a symbol and 11 bits of padding", "1fff"],
  ["a symbol and 27 bits of padding", "1fffffff"],
  ["padding that is not all ones", "00"],
  ["padding that ends in a zero", "1e"],
  ["the end of string with more behind it", "fffffffffc"],
  ["the end of string and nothing else", "ffffffff"],
  ["a symbol cut off before its end", "fffffe"],
])("%s is refused", (_name, hex) => {
  expect(decode(Buffer.from(hex, "hex"))).toBeUndefined();
});

test("a string that ends in 1 to 7 ones is taken, one that ends without padding too", () => {
  for (let zeros = 1; zeros <= 8; zeros++) {
    const text = Buffer.alloc(zeros, "0");
    expect(decode(encodeHuffman(text))).toEqual(text);
  }
});

test("random octets decode, or are refused, as bit by bit", () => {
  // Ones are frequent in what is refused, and the long codes begin with them.
  const octet = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constant(0xff), fc.integer({ min: 0xf0, max: 0xff }));
  fc.assert(
    fc.property(fc.array(octet, { maxLength: 24 }), (octets) => {
      const coded = Buffer.from(octets);
      let expected: Buffer | undefined;
      try {
        expected = Buffer.from(decodeBitByBit(coded), "latin1");
      } catch {
        expected = undefined;
      }
      expect(decode(coded)).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("no code begins another, and together they leave nothing out", () => {
  const share = HUFFMAN_CODES.reduce((sum, { bits }) => sum + 2 ** (30 - bits), 0);
  expect(HUFFMAN_CODES).toHaveLength(257);
  expect(share).toBe(2 ** 30);
});

function decode(coded: Buffer): Buffer | undefined {
  const out = Buffer.alloc(maxHuffmanSymbols(coded.length));
  const length = decodeHuffman(coded, 0, coded.length, out);
  return length < 0 ? undefined : out.subarray(0, length);
}
