import { expect, test } from "vitest";
import { Coalesced } from "../../../src/base/coalesced.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Times of its calls, for changes that a test makes. */
function follow() {
  const clock = new FakeClock();
  const calls: number[] = [];
  const coalesced = new Coalesced(clock, 50, () => calls.push(clock.nowMs()));
  return { clock, calls, coalesced };
}

test("the first change is told at once, what follows together at the interval's end", () => {
  const { clock, calls, coalesced } = follow();
  coalesced.changed();
  expect(calls).toEqual([0]);
  for (let index = 0; index < 5; index++) {
    clock.advance(5);
    coalesced.changed();
  }
  clock.advance(1_000);
  expect(calls).toEqual([0, 50]);
  coalesced.changed();
  expect(calls).toEqual([0, 50, 1_025]);
});

test("what is stopped is not told any more", () => {
  const { clock, calls, coalesced } = follow();
  coalesced.changed();
  coalesced.changed();
  coalesced.stop();
  clock.advance(1_000);
  expect(calls).toEqual([0]);
});
