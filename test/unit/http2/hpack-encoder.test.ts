import { expect, test } from "vitest";
import type { HeaderField } from "../../../src/http2/header-field.ts";
import { HpackEncoder } from "../../../src/http2/hpack-encoder.ts";
import { InternedField } from "../../../src/http2/hpack-field.ts";
import { field } from "../../support/hpack-lists.ts";
import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";

test("the first block, and no other, gives up the dynamic table", () => {
  const encoder = new HpackEncoder();
  expect(encoder.encode([])).toEqual(Buffer.of(0x20));
  expect(encoder.encode([])).toEqual(Buffer.alloc(0));
  expect(new HpackEncoder().encode([])).toEqual(Buffer.of(0x20));
});

test.each([
  ["a field of the static table is its index", field(":method", "POST"), "83"],
  ["a field of the static table without a value is its index", field("accept", ""), "93"],
  ["a name of the static table is its first index", field(":status", "201"), "08 03 323031"],
  ["a name with an index over 14 takes another octet", field("te", "x"), "00 02 7465 01 78"],
  ["a name from the end of the static table", field("user-agent", "x"), "0f2b 01 78"],
  ["any other field is spelled out", field("X-A", "\xff\0"), "00 03 582d41 02 ff00"],
  ["an empty name and value", field("", ""), "00 00 00"],
  ["a sensitive field is never indexed", field("authorization", "x", true), "1f08 01 78"],
  ["a sensitive field is spelled out even where the static table has it", field(":path", "/", true), "14 01 2f"],
  ["a sensitive field with a name of its own", field("x", "y", true), "10 01 78 01 79"],
])("%s", (_name, it, hex) => {
  expect(encode([it])).toEqual(Buffer.from(hex.replaceAll(" ", ""), "hex"));
});

test("order and repetition are kept", () => {
  const list = [field("b", "1"), field("a", "1"), field("b", "1"), field("b", ""), field("a", "1")];
  expect(decode(encode(list))).toEqual(pairs(list));
});

test("strings of every length come back, however their length is written", () => {
  const encoder = new HpackEncoder();
  const decoder = new PlainHpackDecoder();
  for (const length of [0, 1, 19, 20, 21, 125, 126, 127, 128, 253, 254, 255, 256, 16_383, 16_384, 16_510, 70_000]) {
    const list = [field("n".repeat(length), "v".repeat(length)), field(":path", "/".repeat(length))];
    expect(decoder.decode(encoder.encode(list))).toEqual(pairs(list));
  }
});

test("a block keeps its octets when others are written after it", () => {
  const encoder = new HpackEncoder();
  const lists = Array.from({ length: 2_000 }, (_, at) => [
    field(`name-${at}`, "v".repeat(at % 500)),
    field("n", `${at}`),
  ]);
  const blocks = lists.map((list) => encoder.encode(list));
  const decoder = new PlainHpackDecoder();
  lists.forEach((list, at) => {
    expect(decoder.decode(blocks[at]!)).toEqual(pairs(list));
  });
});

test("a block of many megabytes is one block", () => {
  const list = Array.from({ length: 40 }, (_, at) => field(`grpc-status-details-bin`, `${at}`.padEnd(200_000, "x")));
  expect(decode(encode(list))).toEqual(pairs(list));
});

test("a field that comes again is written the same each time, across connections too", () => {
  const interned = [
    new InternedField("x-a", "1"),
    new InternedField(":path", "/x"),
    new InternedField("te", "trailers"),
  ];
  const expected = encode(interned.map(({ name, value }) => field(name, value)));
  for (let time = 0; time < 4; time++) expect(encode(interned)).toEqual(expected);
});

test("a field that comes again equals one that is new", () => {
  const interned = new InternedField("x-a", "1");
  for (let time = 0; time < 3; time++) encode([interned]);
  expect(interned).toEqual(field("x-a", "1"));
});

/** A block that is not the connection's first. */
function encode(list: readonly HeaderField[]): Buffer {
  const encoder = new HpackEncoder();
  encoder.encode([]);
  return encoder.encode(list);
}

function decode(block: Buffer): unknown {
  return new PlainHpackDecoder().decode(block);
}

function pairs(list: readonly HeaderField[]): [string, string][] {
  return list.map(({ name, value }) => [name, value]);
}
