import { expect, test } from "vitest";
import { theilSenSlope } from "../../soak/slope.ts";
import { seededRandom, testSeed } from "../../support/seeded-random.ts";

function line(count: number, valueAt: (index: number) => number) {
  return Array.from({ length: count }, (_, index) => ({ atMs: index * 1_000, value: valueAt(index) }));
}

test("the slope of a straight line is its own, and certain", () => {
  const { perMs, lowPerMs, highPerMs } = theilSenSlope(line(20, (index) => 7 + 3 * index));
  expect(perMs).toBeCloseTo(0.003, 12);
  expect(lowPerMs).toBeCloseTo(0.003, 12);
  expect(highPerMs).toBeCloseTo(0.003, 12);
});

test("a quarter of wild points does not move it", () => {
  const points = line(40, (index) => (index % 4 === 2 ? 1e9 : 3 * index));
  expect(theilSenSlope(points).perMs).toBeCloseTo(0.003, 3);
});

test("Sen's interval is that of his ranks", () => {
  // 10 points have 45 pairs; 1.96 standard deviations of Kendall's score are 21.9, so ranks 11 and 35, counted from 1.
  const values = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
  const slopes = values.flatMap((value, i) => values.slice(i + 1).map((later, j) => (later - value) / (j + 1)));
  slopes.sort((a, b) => a - b);
  const { perMs, lowPerMs, highPerMs } = theilSenSlope(values.map((value, atMs) => ({ atMs, value })));
  expect(perMs).toBe(slopes[22]);
  expect(lowPerMs).toBe(slopes[10]);
  expect(highPerMs).toBe(slopes[34]);
});

test("the interval holds the true slope of noisy lines in 19 of 20 cases or so", () => {
  const random = seededRandom(testSeed());
  let held = 0;
  for (let round = 0; round < 200; round++) {
    const { lowPerMs, highPerMs } = theilSenSlope(line(30, (index) => 2 * index + 40 * random()));
    if (lowPerMs <= 0.002 && highPerMs >= 0.002) held++;
  }
  expect(held).toBeGreaterThan(175);
});

test("too few points say nothing", () => {
  expect(theilSenSlope(line(2, (index) => index))).toEqual({
    perMs: 0,
    lowPerMs: Number.NEGATIVE_INFINITY,
    highPerMs: Number.POSITIVE_INFINITY,
  });
  // Three have too few pairs for an interval.
  expect(theilSenSlope(line(3, (index) => index)).lowPerMs).toBe(Number.NEGATIVE_INFINITY);
});
