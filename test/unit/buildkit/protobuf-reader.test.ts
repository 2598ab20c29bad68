import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fieldText,
  ProtobufError,
  readFields,
  type WireField,
  WireType,
} from "../../../src/buildkit/protobuf-reader.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";

function fields(...octets: number[]): WireField[] {
  return [...readFields(Buffer.from(octets))];
}

describe("each wire type is read as protobuf's encoding has it", () => {
  test.each<[string, number[], Partial<WireField>]>([
    ["a varint", [0x08, 0x01], { number: 1, wireType: WireType.VARINT, varint: 1 }],
    ["a long varint", [0x08, 0x96, 0x01], { number: 1, varint: 150 }],
    ["a varint of ten octets", [0x08, ...Array(9).fill(0xff), 0x01], { number: 1, varint: 2 ** 64 }],
    ["a varint with needless octets", [0x08, 0x81, 0x00], { number: 1, varint: 1 }],
    ["octets", [0x12, 0x02, 0x61, 0x62], { number: 2, wireType: WireType.LENGTH, bytes: Buffer.from("ab") }],
    ["no octets", [0x12, 0x00], { number: 2, bytes: Buffer.alloc(0) }],
    ["a fixed64", [0x19, 1, 2, 3, 4, 5, 6, 7, 8], { number: 3, wireType: WireType.FIXED64 }],
    ["a fixed32", [0x25, 1, 2, 3, 4], { number: 4, wireType: WireType.FIXED32 }],
    ["a field above 15", [0x82, 0x01, 0x00], { number: 16, wireType: WireType.LENGTH }],
    ["the highest field", [0xf8, 0xff, 0xff, 0xff, 0x0f, 0x00], { number: 2 ** 29 - 1 }],
  ])("%s", (_what, octets, expected) => {
    expect(fields(...octets)).toEqual([expect.objectContaining(expected)]);
  });

  test("an empty message has no fields", () => {
    expect(fields()).toEqual([]);
  });

  test("fields come in their order, repeated ones each time", () => {
    expect(fields(0x08, 1, 0x12, 0, 0x08, 2).map(({ number, varint }) => [number, varint])).toEqual([
      [1, 1],
      [2, 0],
      [1, 2],
    ]);
  });
});

describe("what is no message is refused", () => {
  test.each([
    ["field 0", [0x00, 0x01]],
    ["a field number that is too high", [0x80, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ["the start of a group", [0x0b, 0x0c]],
    ["the end of a group", [0x0c]],
    ["wire type 6", [0x0e, 0x00]],
    ["wire type 7", [0x0f, 0x00]],
    ["a tag without an end", [0x88]],
    ["a tag alone", [0x08]],
    ["a varint without an end", [0x08, 0xff]],
    ["a varint of eleven octets", [0x08, ...Array(10).fill(0xff), 0x01]],
    ["a length without an end", [0x12, 0xff]],
    ["octets that run past the end", [0x12, 0x03, 0x61, 0x62]],
    ["a length of 2^63", [0x12, ...Array(9).fill(0x80), 0x01, 0x61]],
    ["half a fixed64", [0x19, 1, 2, 3, 4]],
    ["half a fixed32", [0x25, 1, 2]],
  ])("%s", (_what, octets) => {
    expect(() => fields(...octets)).toThrow(ProtobufError);
  });
});

test("a message of too many fields is refused before it takes long", () => {
  const many = Buffer.alloc(64 << 20, Buffer.from([0x7a, 0x00]));
  const startMs = performance.now();
  expect(() => [...readFields(many)]).toThrow("more than 100000 fields");
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

test("random bytes are read or refused, and never more than that", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        for (const field of readFields(Buffer.from(octets)))
          expect(field.bytes.length).toBeLessThanOrEqual(octets.length);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtobufError);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("what a real encoder writes is read", () => {
  const message = controlRpcs.Solve.requestSerialize({
    Ref: "r",
    Definition: Buffer.from([1, 2, 3]),
    Internal: true,
    CompatibilityVersion: "9007199254740991",
    Entitlements: ["a", "", "b"],
  } as never);
  expect(
    [...readFields(message)].map(({ number, bytes, varint }) => [number, bytes.toString("latin1"), varint]),
  ).toEqual([
    [1, "r", 0],
    [2, "\x01\x02\x03", 0],
    [9, "a", 0],
    [9, "", 0],
    [9, "b", 0],
    [11, "", 1],
    [16, "", Number.MAX_SAFE_INTEGER],
  ]);
});

describe("a text", () => {
  test.each(["", "a", "ä€😀", "\ufffd", "\0", "a\ufffdb"])("may be %j", (text) => {
    const bytes = Buffer.from(text);
    expect(fieldText(fields(0x0a, bytes.length, ...bytes)[0]!)).toBe(text);
  });

  test.each([
    ["a lone continuation", [0x80]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["half a character", [0xe2, 0x82]],
    ["a real replacement character and a broken one", [0xef, 0xbf, 0xbd, 0xff]],
  ])("is not %s", (_what, octets) => {
    expect(() => fieldText(fields(0x0a, octets.length, ...octets)[0]!)).toThrow("field 1 is not UTF-8");
  });

  test("is not a number", () => {
    expect(() => fieldText(fields(0x08, 0x01)[0]!)).toThrow("field 1 is not a string");
  });
});
