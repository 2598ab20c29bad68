import { expect, test } from "vitest";
import { PacedEvents } from "../../../src/dataplane/paced-events.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("the first of a kind is told at once, and then once a minute how many there were", () => {
  const clock = new FakeClock();
  const events = new PacedEvents(clock);
  const told: (number | undefined)[] = [];
  for (let second = 0; second <= 120; second++) {
    told.push(events.count("a"));
    clock.advance(1_000);
  }
  expect(told.filter((count) => count !== undefined)).toEqual([1, 60, 60]);
  expect(events.count("b")).toBe(1);
});
