import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBytes, parseBytes } from "../../../src/base/bytes.ts";

describe("parseBytes", () => {
  test.each([
    ["0", 0],
    ["512B", 512],
    ["16KiB", 16_384],
    ["64MiB", 67_108_864],
    ["1.5GiB", 1_610_612_736],
  ])("reads %s", (text, expectedBytes) => {
    expect(parseBytes(text)).toBe(expectedBytes);
  });

  test.each(["", "64", "64MB", "64 MiB", "-1KiB", "1kib", "MiB", "1e3B"])(
    "refuses %j and says how to write it",
    (text) => {
      expect(() => parseBytes(text)).toThrow(`not a size: ${JSON.stringify(text)} (write 512B, 16KiB, 64MiB or 1GiB)`);
    },
  );

  test("refuses what a number cannot hold exactly", () => {
    expect(() => parseBytes("99999999GiB")).toThrow('too large: "99999999GiB"');
  });
});

test("a written size reads back as itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (sizeBytes) => {
      expect(parseBytes(formatBytes(sizeBytes))).toBe(sizeBytes);
    }),
  );
});

test("a size is written in the largest unit that leaves it whole", () => {
  expect([0, 1_000, 16_384, 67_108_864, 2 ** 30, 2 ** 30 + 1].map(formatBytes)).toEqual([
    "0B",
    "1000B",
    "16KiB",
    "64MiB",
    "1GiB",
    "1073741825B",
  ]);
});
