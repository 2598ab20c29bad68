import { expect, test } from "vitest";
import { Activity, type FinishedBuild } from "../../../src/admin/activity.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const CALLER = { repository: "github.com/acme/app", job: "image", runId: "4711" };

function finished(parts: Partial<FinishedBuild> = {}): FinishedBuild {
  return {
    buildRef: "r",
    caller: CALLER,
    key: "github.com/acme/app",
    replicaId: "a",
    reason: "warm",
    waitedMs: 10,
    ranMs: 2_000,
    outcome: "succeeded",
    cause: "",
    receivedBytes: 300,
    sentBytes: 20,
    ...parts,
  };
}

function moved(buildRef: string, replicaId: string | undefined) {
  return {
    buildRef,
    caller: CALLER,
    key: undefined,
    replicaId,
    waitedMs: 5,
    reason: () => "warm",
    moved: () => ({ receivedBytes: 100, sentBytes: 10 }),
    steps: () => (replicaId === "a" ? { done: 1, total: 4 } : undefined),
  };
}

test("a build is shown where it runs, with whose it is and where its run is to be seen, until it ends", () => {
  const clock = new FakeClock();
  const activity = new Activity(clock);
  activity.moved("p", moved("r", "a"));
  clock.advance(1_500);
  expect(activity.view().running).toEqual([
    {
      pool: "p",
      replica: "a",
      buildRef: "r",
      name: "github.com/acme/app",
      job: "image",
      link: "https://github.com/acme/app/actions/runs/4711",
      reason: "warm",
      waitedMs: 5,
      ranMs: 1_500,
      receivedBytes: 100,
      sentBytes: 10,
      steps: { done: 1, total: 4 },
    },
  ]);
  activity.moved("p", moved("r", "b"));
  expect(activity.view().running).toMatchObject([{ replica: "b", ranMs: 0 }]);
  expect(activity.view().running[0]).not.toHaveProperty("steps");
  activity.ended("p", finished({ replicaId: "b" }));
  expect(activity.view()).toMatchObject({
    running: [],
    ended: [{ replica: "b", outcome: "succeeded", receivedBytes: 300, sentBytes: 20 }],
    failures: [],
  });
});

test("a build that waits again is shown nowhere, and the same ref of another pool stays", () => {
  const activity = new Activity(new FakeClock());
  activity.moved("p", moved("r", "a"));
  activity.moved("q", moved("r", "a"));
  activity.moved("p", moved("r", undefined));
  expect(activity.view().running).toMatchObject([{ pool: "q" }]);
});

test.each([
  [{ repository: "javascript:alert(1)//x/y", runId: "1" }],
  [{ repository: "github.com/acme/app", runId: "1/../../evil" }],
  [{ repository: "github.com/acme/app?x", runId: "1" }],
  [{ repository: "github.com/acme" }],
])("what is no run of a repository leads nowhere: %j", (caller) => {
  const activity = new Activity(new FakeClock());
  activity.ended("p", finished({ caller }));
  expect(activity.view().ended[0]!.link).toBeUndefined();
});

test("a minute counts its builds, those with a known cache, the warm ones, the failures, and the longest wait", () => {
  const clock = new FakeClock();
  const activity = new Activity(clock);
  activity.ended("p", finished());
  activity.ended("p", finished({ reason: "spilled", outcome: "failed", cause: "exit code 1", waitedMs: 900 }));
  activity.ended("p", finished({ reason: undefined, replicaId: undefined, outcome: "cancelled" }));
  const { minutes, failures } = activity.view();
  expect(minutes).toMatchObject([{ builds: 3, keyed: 2, warm: 1, failed: 1, waitMs: 900 }]);
  expect(failures).toMatchObject([{ outcome: "failed", cause: "exit code 1" }]);
});

test("all of it is bounded, and minutes are forgotten after an hour", () => {
  const clock = new FakeClock();
  const activity = new Activity(clock);
  for (let build = 0; build < 3_000; build++) {
    activity.moved("p", moved(`run-${build}`, "a"));
    activity.ended("p", finished({ buildRef: `end-${build}`, outcome: "failed" }));
    clock.advance(30_000);
  }
  const { running, ended, failures, minutes } = activity.view();
  expect([running.length, ended.length, failures.length]).toEqual([1_000, 50, 20]);
  expect(ended[0]!.buildRef).toBe("end-2999");
  expect(minutes.length).toBeLessThanOrEqual(60);
  clock.advance(3_700_000);
  expect(activity.view().minutes).toEqual([]);
});
