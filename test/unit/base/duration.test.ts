import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "../../../src/base/duration.ts";

describe("parseDuration", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5m", 90_000],
    ["1h30m", 5_400_000],
    ["1h", 3_600_000],
    ["2147483647ms", MAX_DURATION_MS],
  ])("reads %s", (text, expectedMs) => {
    expect(parseDuration(text)).toBe(expectedMs);
  });

  test.each(["", "300", "-1s", "1 h", "h", "1d", "1S", "1e3s", "Infinity", " 1s", "1s ", "1..5s"])(
    "refuses %j and says how to write it",
    (text) => {
      expect(() => parseDuration(text)).toThrow(`not a duration: ${JSON.stringify(text)} (write 250ms, 30s, 5m or 1h)`);
    },
  );

  test("refuses what a timer cannot wait for", () => {
    expect(() => parseDuration("1000h")).toThrow('too long: "1000h" (at most 596h)');
    expect(() => parseDuration("2147483648ms")).toThrow("too long");
  });

  test("refuses a long and nearly right text without delay", () => {
    expect(() => parseDuration(`${"1h".repeat(50_000)}x`)).toThrow("not a duration");
  });
});

test("a written duration reads back as itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (durationMs) => {
      expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
    }),
  );
});

test("a duration is written with the largest units that fit", () => {
  expect([0, 250, 5_000, 60_000, 3_600_000, 5_400_250].map(formatDuration)).toEqual([
    "0s",
    "250ms",
    "5s",
    "1m",
    "1h",
    "1h30m250ms",
  ]);
});
