import { expect, test } from "vitest";
import { backoffDelayMs } from "../../../src/base/backoff.ts";

const BOUNDS = { minMs: 500, maxMs: 10_000 };

test("the wait doubles with each failed check, up to its bound", () => {
  expect([1, 2, 3, 6, 7, 10_000].map((failures) => backoffDelayMs(failures, BOUNDS, 0))).toEqual([
    500, 1_000, 2_000, 10_000, 10_000, 10_000,
  ]);
});

test("chance takes off at most half of it", () => {
  expect(backoffDelayMs(2, BOUNDS, 0.5)).toBe(750);
  expect(backoffDelayMs(2, BOUNDS, 0.999_999)).toBeGreaterThan(500);
});
