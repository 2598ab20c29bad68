import { describe, expect, test } from "vitest";
import { HeaderReader } from "../../../src/dataplane/header-reader.ts";
import { Flag } from "../../support/raw-http2/frames.ts";
import { encodeFields, encodeIndexed } from "../../support/raw-http2/hpack-encoder.ts";

const BLOCK = encodeFields([
  ["a", "1"],
  ["b", "2"],
]);
const pairsOf = (read: ReturnType<HeaderReader["headers"]>) =>
  read?.decoded.t === "ok" ? read.decoded.fields.map(({ name, value }) => [name, value]) : read?.decoded;

function codeOf(act: () => void): number | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

describe("a header list is read", () => {
  test("from one HEADERS frame", () => {
    const read = new HeaderReader(1_000).headers(Flag.END_HEADERS | Flag.END_STREAM, 1, BLOCK);
    expect(pairsOf(read)).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(read).toMatchObject({ streamId: 1, isEndOfStream: true, isSelfDependent: false });
  });

  test("from HEADERS and CONTINUATION, cut anywhere, an empty fragment included", () => {
    for (let cut = 0; cut <= BLOCK.length; cut++) {
      const reader = new HeaderReader(1_000);
      const memory = Buffer.from(BLOCK.subarray(0, cut));
      expect(reader.headers(Flag.END_STREAM, 3, memory)).toBeUndefined();
      // What was handed in is read into again.
      memory.fill(0xff);
      expect(reader.continuation(0, 3, Buffer.alloc(0))).toBeUndefined();
      const read = reader.continuation(Flag.END_HEADERS, 3, BLOCK.subarray(cut));
      expect(pairsOf(read)).toEqual([
        ["a", "1"],
        ["b", "2"],
      ]);
      expect(read).toMatchObject({ streamId: 3, isEndOfStream: true });
    }
  });

  test("from between padding and priority fields", () => {
    const payload = Buffer.concat([Buffer.of(2, 0x80, 0, 0, 7, 255), BLOCK, Buffer.alloc(2)]);
    const read = new HeaderReader(1_000).headers(Flag.PADDED | Flag.PRIORITY | Flag.END_HEADERS, 7, payload);
    expect(pairsOf(read)).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(read?.isSelfDependent).toBe(true);
  });

  test("and forgotten where it is too long, with its length told and the table in step", () => {
    const reader = new HeaderReader(100);
    const long = encodeFields(
      [
        ["kept", "v".repeat(60)],
        ["x", "y".repeat(5)],
      ],
      "incremental",
    );
    expect(pairsOf(reader.headers(Flag.END_HEADERS, 1, long))).toEqual({
      t: "tooLarge",
      listBytes: 4 + 60 + 32 + 1 + 5 + 32,
    });
    expect(pairsOf(reader.headers(Flag.END_HEADERS, 3, encodeIndexed([62])))).toEqual([["x", "yyyyy"]]);
  });
});

describe("a header block is refused", () => {
  test("that another frame interrupts", () => {
    const reader = new HeaderReader(1_000);
    expect(codeOf(() => reader.requireNoBlock())).toBeUndefined();
    reader.headers(0, 1, BLOCK);
    expect(codeOf(() => reader.requireNoBlock())).toBe(0x1);
    reader.continuation(Flag.END_HEADERS, 1, Buffer.alloc(0));
    expect(codeOf(() => reader.requireNoBlock())).toBeUndefined();
  });

  test("that goes on on another stream, or without a beginning", () => {
    const reader = new HeaderReader(1_000);
    expect(codeOf(() => reader.continuation(Flag.END_HEADERS, 0, BLOCK))).toBe(0x1);
    reader.headers(0, 1, BLOCK);
    expect(codeOf(() => reader.continuation(Flag.END_HEADERS, 3, BLOCK))).toBe(0x1);
  });

  test("whose padding or priority fields do not fit", () => {
    const reader = () => new HeaderReader(1_000);
    expect(codeOf(() => reader().headers(Flag.PADDED | Flag.END_HEADERS, 1, Buffer.of(3, 0)))).toBe(0x1);
    const both = Flag.PADDED | Flag.PRIORITY | Flag.END_HEADERS;
    expect(codeOf(() => reader().headers(both, 1, Buffer.of(1, 0, 0, 0, 0, 0)))).toBe(0x1);
    // The fields themselves are missing: RFC 9113 §4.2.
    expect(codeOf(() => reader().headers(Flag.PADDED | Flag.END_HEADERS, 1, Buffer.alloc(0)))).toBe(0x6);
    expect(codeOf(() => reader().headers(Flag.PRIORITY | Flag.END_HEADERS, 1, Buffer.alloc(4)))).toBe(0x6);
    expect(codeOf(() => reader().headers(both, 1, Buffer.alloc(5)))).toBe(0x6);
  });

  test("that is longer than its bound before it has ended", () => {
    const reader = new HeaderReader(1_000);
    reader.headers(0, 1, Buffer.alloc(900));
    expect(codeOf(() => reader.continuation(0, 1, Buffer.alloc(101)))).toBe(0xb);
  });

  test("that comes in more fragments than it is worth", () => {
    const reader = new HeaderReader(1 << 20);
    reader.headers(0, 1, Buffer.alloc(0));
    const count = Array.from({ length: 100 }).findIndex(
      () => codeOf(() => void reader.continuation(0, 1, Buffer.of(0))) !== undefined,
    );
    expect(count).toBeGreaterThan(10);
    expect(count).toBeLessThan(40);
  });

  test("in no fewer fragments than real peers make of 1 MiB", () => {
    const reader = new HeaderReader(2 << 20);
    const block = encodeFields([["grpc-status-details-bin", "A".repeat(1 << 20)]]);
    reader.headers(0, 1, block.subarray(0, 16_384));
    let read: ReturnType<HeaderReader["continuation"]>;
    for (let at = 16_384; at < block.length; at += 16_384) {
      read = reader.continuation(
        at + 16_384 >= block.length ? Flag.END_HEADERS : 0,
        1,
        block.subarray(at, at + 16_384),
      );
    }
    expect(read?.decoded.t).toBe("ok");
  });

  test("that is not HPACK", () => {
    expect(codeOf(() => new HeaderReader(1_000).headers(Flag.END_HEADERS, 1, Buffer.of(0x80)))).toBe(0x9);
  });
});
