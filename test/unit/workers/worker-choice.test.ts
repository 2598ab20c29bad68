import { describe, expect, test } from "vitest";
import { leastLoaded } from "../../../src/workers/worker-choice.ts";

/** Give clients one after the other, and say how many each of the workers has got. */
function spread(workers: { open: number; busy: number }[], clients: number): number[] {
  const before = workers.map(({ open }) => open);
  for (let client = 0; client < clients; client++) leastLoaded(workers)!.open++;
  return workers.map(({ open }, index) => open - before[index]!);
}

describe("a client goes", () => {
  test("to the worker with the fewest clients", () => {
    const workers = [
      { open: 3, busy: 0 },
      { open: 1, busy: 0 },
      { open: 2, busy: 0 },
    ];
    expect(leastLoaded(workers)).toBe(workers[1]);
  });

  test("to the first of those that are alike", () => {
    const workers = [
      { open: 1, busy: 0.5 },
      { open: 1, busy: 0.5 },
    ];
    expect(leastLoaded(workers)).toBe(workers[0]);
  });

  test("past a worker that one heavy client keeps busy, though it has fewer", () => {
    const workers = [
      { open: 1, busy: 0.9 },
      { open: 3, busy: 0.05 },
    ];
    expect(leastLoaded(workers)).toBe(workers[1]);
  });

  test("nowhere where there is no worker", () => {
    expect(leastLoaded([])).toBeUndefined();
  });
});

test("clients that come at the same moment are spread evenly", () => {
  const idle = () => ({ open: 0, busy: 0 });
  expect(spread([idle(), idle()], 4)).toEqual([2, 2]);
  expect(spread([idle(), idle(), idle()], 8)).toEqual([3, 3, 2]);
  expect(spread([{ open: 2, busy: 0 }, idle()], 4)).toEqual([1, 3]);
});

test("a busy worker gets clients again before the others drown in theirs", () => {
  expect(
    spread(
      [
        { open: 1, busy: 1 },
        { open: 0, busy: 0 },
      ],
      41,
    ),
  ).toEqual([10, 31]);
});
