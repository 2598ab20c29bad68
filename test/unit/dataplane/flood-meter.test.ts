import { expect, test } from "vitest";
import { FloodMeter } from "../../../src/dataplane/flood-meter.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** How many frames pass before one is too many, out of `frames`. */
function passing(meter: FloodMeter, frames: number): number {
  for (let i = 0; i < frames; i++) if (meter.isExceededByOneMore()) return i;
  return frames;
}

test("as many frames as the rate says pass in one second, and one more does not", () => {
  expect(passing(new FloodMeter(new FakeClock(), 100), 1_000)).toBe(100);
});

test("after a second as many pass again", () => {
  const clock = new FakeClock();
  const meter = new FloodMeter(clock, 100);
  for (let second = 0; second < 5; second++) {
    expect(passing(meter, 100)).toBe(100);
    clock.advance(1_000);
  }
});

test("just before a second is over no more pass", () => {
  const clock = new FakeClock();
  const meter = new FloodMeter(clock, 100);
  passing(meter, 100);
  clock.advance(999);
  expect(meter.isExceededByOneMore()).toBe(true);
});

test("a rate that is kept to for long is never too much", () => {
  const clock = new FakeClock();
  const meter = new FloodMeter(clock, 100);
  for (let i = 0; i < 5_000; i++) {
    expect(meter.isExceededByOneMore()).toBe(false);
    clock.advance(10);
  }
});

test("frames that were earned by useful work do not count", () => {
  const meter = new FloodMeter(new FakeClock(), 100);
  for (let i = 0; i < 1_000; i++) {
    meter.earn();
    expect(meter.isExceededByOneMore()).toBe(false);
  }
  expect(passing(meter, 1_000)).toBe(100);
});

test("no more can be earned in advance than one second's worth", () => {
  const meter = new FloodMeter(new FakeClock(), 100);
  for (let i = 0; i < 10_000; i++) meter.earn();
  expect(passing(meter, 1_000)).toBe(200);
});
