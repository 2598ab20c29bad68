import { expect, test } from "vitest";
import { judgeClock, readClock } from "../../../src/doctor/clock-check.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ahead = (aheadMs: number) => [{ source: "the API server", aheadMs }];

test.each([
  [300, "ok", "as the API server has it"],
  [-4_000, "ok", "4 s behind the API server"],
  [30_000, "warning", "30 s ahead of the API server"],
  [-300_000, "failure", "300 s behind the API server"],
])("a clock that is %i ms ahead is %s", (aheadMs, result, seen) => {
  expect(judgeClock(ahead(aheadMs), [])).toMatchObject({ t: result, seen });
});

test("of several the worst counts", () => {
  expect(judgeClock([...ahead(0), ...ahead(90_000)], []).t).toBe("failure");
});

test("without another clock a certificate that is not valid yet is a hint", () => {
  const outcome = { t: "failure", seen: "not valid before 2030-01-01T00:00:00.000Z: CN=x", fix: "" } as const;
  expect(judgeClock([], [{ section: "address", check: "chain", outcome }]).t).toBe("warning");
  expect(judgeClock([], []).t).toBe("skipped");
});

test("a header is read to half a second, and what is none is no reading", () => {
  const clock = new FakeClock();
  clock.advance(10_000);
  expect(readClock("x", "Thu, 01 Jan 1970 00:00:08 GMT", clock)).toEqual({ source: "x", aheadMs: 1_500 });
  expect([readClock("x", undefined, clock), readClock("x", "yesterday", clock)]).toEqual([undefined, undefined]);
});
