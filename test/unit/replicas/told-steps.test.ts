import { expect, test } from "vitest";
import type { BuildSteps, HistoryEvent } from "../../../src/buildkit/history-event.ts";
import { ToldSteps } from "../../../src/replicas/told-steps.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function complete(buildRef: string, total: number): HistoryEvent {
  const steps = { cached: 1, completed: total, total };
  const rest = { createdAtMs: 0, completedAtMs: 0, generation: 0, isSuccess: true, attrs: new Map(), imageNames: [] };
  return { t: "complete", buildRef, steps, ...rest };
}

test("steps that are known are told at once, others when they come or not at all", () => {
  const clock = new FakeClock();
  const told = new ToldSteps(clock);
  const heard: (BuildSteps | undefined | string)[] = [];
  const ask = (ref: string, timeoutMs = 500) => told.after(ref, timeoutMs, (steps) => heard.push(ref, steps));
  told.told(complete("early", 3));
  ask("early");
  ask("late");
  ask("never");
  ask("unasked", 0);
  clock.advance(400);
  told.told(complete("late", 4));
  told.told(complete("late", 5));
  clock.advance(100);
  told.told(complete("never", 6));
  expect(heard).toEqual([
    "early",
    { cached: 1, completed: 3, total: 3 },
    "unasked",
    undefined,
    "late",
    { cached: 1, completed: 4, total: 4 },
    "never",
    undefined,
  ]);
});

test("of builds that nobody asks for, only so many are kept", () => {
  const told = new ToldSteps(new FakeClock());
  for (let build = 0; build < 1_500; build++) told.told(complete(`r${build}`, 1));
  const heard: boolean[] = [];
  for (const ref of ["r0", "r499", "r500", "r1499"]) told.after(ref, 0, (steps) => heard.push(steps !== undefined));
  expect(heard).toEqual([false, false, true, true]);
});
