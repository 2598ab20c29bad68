import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/http2/errors.ts";
import type { HeaderField } from "../../../src/http2/header-field.ts";
import { HpackDecoder, type HpackDecoderOptions } from "../../../src/http2/hpack-decoder.ts";
import { headerBlock, type Representation, remembered, text } from "../../support/hpack-blocks.ts";
import { field } from "../../support/hpack-lists.ts";

const NEWEST: Representation = { t: "indexed", index: 62 };

describe("a header block", () => {
  test("may be empty", () => {
    expect(decode(newDecoder(), Buffer.alloc(0))).toEqual([]);
  });

  test("may hold nothing but changes of the table's size", () => {
    expect(decode(newDecoder(), headerBlock(tableSize(0), tableSize(4_096)))).toEqual([]);
  });

  test("need not be a Buffer nor begin at the start of its memory", () => {
    const memory = Uint8Array.of(0xff, 0x82, 0x86, 0xff);
    expect(decode(newDecoder(), memory.subarray(1, 3))).toEqual([field(":method", "GET"), field(":scheme", "http")]);
  });

  test("keeps names as they are, upper case and odd octets included", () => {
    const block = headerBlock(remembered("X-Up\0per \xff", "a\0\xff\r\n"));
    expect(decode(newDecoder(), block)).toEqual([field("X-Up\0per \xff", "a\0\xff\r\n")]);
  });

  test("keeps order and repetition", () => {
    const block = headerBlock(remembered("a", "1"), remembered("b", "2"), NEWEST, remembered("a", "1"));
    const names = decode(newDecoder(), block).map(({ name }) => name);
    expect(names).toEqual(["a", "b", "b", "a"]);
  });

  test("gives the same object each time for an entry of a table", () => {
    const decoder = newDecoder();
    const [first] = decode(decoder, headerBlock(remembered("a", "1")));
    const [again, get] = decode(decoder, headerBlock(NEWEST, { t: "indexed", index: 2 }));
    expect(again).toBe(first);
    expect(decode(newDecoder(), headerBlock({ t: "indexed", index: 2 }))[0]).toBe(get);
  });

  test("marks as sensitive what must never be indexed, and nothing else", () => {
    const literal = (kind: "indexed" | "notIndexed" | "neverIndexed"): Representation => {
      return { t: "literal", kind, name: 23, value: text("secret", true) };
    };
    const block = headerBlock(literal("neverIndexed"), literal("notIndexed"), literal("indexed"));
    expect(decode(newDecoder(), block).map(({ isSensitive }) => isSensitive)).toEqual([true, false, false]);
  });

  test("may have a Huffman-coded string of any length", () => {
    const value = "0123456789 long".repeat(5_000);
    expect(decode(newDecoder(), headerBlock(remembered("a", value, true)))).toEqual([field("a", value)]);
  });
});

describe("the dynamic table", () => {
  test("drops its oldest entries for a new one", () => {
    const decoder = newDecoder();
    // 4,096 = 2 × (1 + 1,983 + 32) + (1 + 31 + 32)
    decode(decoder, headerBlock(remembered("a", "a".repeat(1_983)), remembered("b", "b".repeat(1_983))));
    decode(decoder, headerBlock(remembered("c", "c".repeat(31))));
    expect(names(decoder, 62, 63, 64)).toEqual(["c", "b", "a"]);
    decode(decoder, headerBlock(remembered("d", "")));
    expect(names(decoder, 62, 63, 64)).toEqual(["d", "c", "b"]);
    expect(() => names(decoder, 65)).toThrow("no header field has index 65");
  });

  test("is emptied by an entry that is larger than all of it, which is handed out nevertheless", () => {
    const decoder = newDecoder();
    const large = "x".repeat(4_096 - 32);
    expect(decode(decoder, headerBlock(remembered("a", "1"), remembered("b", large)))[1]).toEqual(field("b", large));
    expect(() => names(decoder, 62)).toThrow("no header field has index 62");
  });

  test("holds an entry that is exactly as large as all of it", () => {
    const decoder = newDecoder();
    decode(decoder, headerBlock(remembered("a", "1"), remembered("b", "x".repeat(4_096 - 33))));
    expect(names(decoder, 62)).toEqual(["b"]);
    expect(() => names(decoder, 63)).toThrow("no header field has index 63");
  });

  test("lends a name to the very entry that pushes it out", () => {
    const decoder = newDecoder();
    decode(decoder, headerBlock(remembered("long-name", "x".repeat(4_000))));
    const block = headerBlock({ t: "literal", kind: "indexed", name: 62, value: text("y".repeat(4_000)) }, NEWEST);
    const expected = field("long-name", "y".repeat(4_000));
    expect(decode(decoder, block)).toEqual([expected, expected]);
  });

  test("holds many small entries, and finds each at its index", () => {
    const decoder = newDecoder({ maxTableBytes: 65_536 });
    const fields = Array.from({ length: 1_000 }, (_, at) => field(`n${at}`, `${at}`));
    decode(decoder, headerBlock(tableSize(65_536), ...fields.map(({ name, value }) => remembered(name, value))));
    fields.forEach(({ name }, at) => {
      expect(names(decoder, 62 + fields.length - 1 - at)).toEqual([name]);
    });
    expect(() => names(decoder, 62 + fields.length)).toThrow("no header field has index");
  });

  test("has 4,096 octets until the peer asks for the more that we announced", () => {
    const decoder = newDecoder({ maxTableBytes: 65_536 });
    decode(decoder, headerBlock(remembered("a", "x".repeat(4_096))));
    expect(() => names(decoder, 62)).toThrow();
    decode(decoder, headerBlock(tableSize(65_536), remembered("a", "x".repeat(4_096))));
    expect(names(decoder, 62)).toEqual(["a"]);
  });

  test("shrinks at a size, dropping what no longer fits, and does not get it back by growing", () => {
    const decoder = newDecoder();
    decode(decoder, headerBlock(remembered("a", "1"), remembered("b", "2")));
    decode(decoder, headerBlock(tableSize(40), tableSize(4_096)));
    expect(names(decoder, 62)).toEqual(["b"]);
    expect(() => names(decoder, 63)).toThrow();
  });

  test("may have the default size before the peer has read that we announced less, and not after", () => {
    const decoder = newDecoder({ maxTableBytes: 0 });
    expect(names(decoder, 2)).toEqual([":method"]);
    decode(decoder, headerBlock(remembered("a", "1"), NEWEST));
    decode(decoder, headerBlock(tableSize(0), remembered("b", "2")));
    expect(() => names(decoder, 62)).toThrow();
    expectMalformed(decoder, headerBlock(tableSize(1)), "table size 1 exceeds the announced 0");
  });
});

describe("what is malformed", () => {
  test.each([
    ["index 0", "80", "no header field has index 0"],
    ["an index behind both tables", "be", "no header field has index 62"],
    ["a name's index behind both tables", "7e0161", "no header field has index 62"],
    ["a huge index", "ffffffff7f", "no header field has index 268435582"],
    ["an integer that does not end", "ff80808080808080", "integer of more than 4 octets"],
    ["an integer with needless octets", "ff8080808000", "integer of more than 4 octets"],
    ["an index cut off", "ff80", "ends in the middle of a field"],
    ["a literal without its name", "40", "ends in the middle of a field"],
    ["a literal without its value", "400161", "ends in the middle of a field"],
    ["a name that is longer than its block", "400361", "string of 3 octets"],
    ["a value that is longer than its block", "4001610362", "string of 3 octets"],
    ["a value of nearly 2^28 octets", "4001617f80ffff7f62", "string of 268435455 octets"],
    ["a string whose length is cut off", "4001617f80", "ends in the middle of a field"],
    ["Huffman padding of 8 bits", "40016181ff", "invalid Huffman code"],
    ["Huffman padding of zeros", "4001618118", "invalid Huffman code"],
    ["the end of string in a string", "40016184ffffffff", "invalid Huffman code"],
    ["a table size above the announced one", "3fe21f", "table size 4097 exceeds the announced 4096"],
    ["a table size after a field", "8220", "table size changed in the middle"],
    ["a table size between two fields", "822082", "table size changed in the middle"],
  ])("%s", (_name, hex, message) => {
    expectMalformed(newDecoder(), Buffer.from(hex, "hex"), message);
  });
});

describe("a list over the bound", () => {
  test("is counted as RFC 9113 §6.5.2 counts and not handed out", () => {
    const block = headerBlock(remembered("a", "1"), NEWEST);
    expect(newDecoder({ maxListBytes: 68 }).decode(block).t).toBe("ok");
    expect(newDecoder({ maxListBytes: 67 }).decode(block)).toEqual({ t: "tooLarge", listBytes: 68 });
  });

  test("leaves the table in step with the peer's", () => {
    const decoder = newDecoder({ maxListBytes: 100 });
    const block = headerBlock(remembered("a", "1"), remembered("b", "x".repeat(200)), remembered("c", "3"));
    expect(decoder.decode(block).t).toBe("tooLarge");
    expect(names(decoder, 62, 64)).toEqual(["c", "a"]);
  });

  test("is still read to its end, where it may be malformed", () => {
    expectMalformed(newDecoder({ maxListBytes: 10 }), Buffer.from("828280", "hex"), "no header field has index 0");
  });

  test("costs no memory, however often a small block refers to a large entry", () => {
    const decoder = newDecoder({ maxListBytes: 1 << 20 });
    decode(decoder, headerBlock(remembered("a", "x".repeat(4_000))));
    const references = 1 << 20;
    const block = Buffer.alloc(references, headerBlock(NEWEST));
    const beforeBytes = process.memoryUsage().heapUsed;
    expect(decoder.decode(block)).toEqual({ t: "tooLarge", listBytes: references * 4_033 });
    // The list alone would be 8 MiB of references to 4 GiB of fields.
    expect(process.memoryUsage().heapUsed - beforeBytes).toBeLessThan(4 << 20);
  });
});

function newDecoder(options: Partial<HpackDecoderOptions> = {}): HpackDecoder {
  return new HpackDecoder({ maxListBytes: 1 << 20, ...options });
}

function decode(decoder: HpackDecoder, block: Uint8Array): readonly HeaderField[] {
  const decoded = decoder.decode(block);
  if (decoded.t !== "ok") throw new Error(`a list of ${decoded.listBytes} bytes is too large`);
  return decoded.fields;
}

/** The names that these indexes stand for. */
function names(decoder: HpackDecoder, ...indexes: readonly number[]): string[] {
  const block = headerBlock(...indexes.map((index): Representation => ({ t: "indexed", index })));
  return decode(decoder, block).map(({ name }) => name);
}

function tableSize(bytes: number): Representation {
  return { t: "tableSize", bytes };
}

function expectMalformed(decoder: HpackDecoder, block: Uint8Array, message: string): void {
  expect(() => decoder.decode(block)).toThrow(
    expect.objectContaining({
      name: "ConnectionError",
      code: ErrorCode.COMPRESSION_ERROR,
      message: expect.stringContaining(message),
    }),
  );
}
