import { expect, test } from "vitest";
import { judgeGrowth } from "../../soak/growth.ts";

const MIB = 2 ** 20;
const BOUND = { once: 8 * MIB, perHour: 16 * MIB };

/** An hour of samples, one a second, of a heap that is collected each minute. */
function heap(liveBytesAt: (minute: number) => number) {
  return Array.from({ length: 3_600 }, (_, second) => ({
    atMs: second * 1_000,
    value: liveBytesAt(second / 60) + (second % 60) * MIB,
  }));
}

test("a heap that is filled and collected does not grow", () => {
  const growth = judgeGrowth(
    heap(() => 50 * MIB),
    BOUND,
  );
  expect(growth.perHour).toBe(0);
  expect(growth.isTooMuch).toBe(false);
});

test("a leak below the sawtooth is found", () => {
  const growth = judgeGrowth(
    heap((minute) => (50 + minute) * MIB),
    BOUND,
  );
  expect(growth.perHour / MIB).toBeCloseTo(60, 0);
  expect(growth.isTooMuch).toBe(true);
});

test("what comes in the first fifth of the time is no growth", () => {
  const growth = judgeGrowth(
    heap((minute) => Math.min(minute, 12) * 20 * MIB),
    BOUND,
  );
  expect(growth).toMatchObject({ perHour: 0, isTooMuch: false });
});

test("a short run may grow by what comes once", () => {
  const points = Array.from({ length: 60 }, (_, second) => ({ atMs: second * 1_000, value: second * (MIB / 10) }));
  expect(judgeGrowth(points, BOUND)).toMatchObject({ isTooMuch: false, overMs: 47_000 });
  expect(judgeGrowth(points, { ...BOUND, once: 2 * MIB }).isTooMuch).toBe(true);
});

test("without samples nothing is known, and nothing too much", () => {
  expect(judgeGrowth([], BOUND)).toMatchObject({ overMs: 0, isTooMuch: false });
});
