import { expect, test } from "vitest";
import { auditBuilds, type EndedBuild, type Loss, type RanBuild } from "../../soak/build-books.ts";

function ran(parts: Partial<RanBuild> = {}): RanBuild {
  return {
    client: "c",
    refs: ["r"],
    fromMs: 1_000,
    toMs: 2_000,
    wish: "success",
    told: "success",
    message: "",
    ...parts,
  };
}

function ended(outcome: string, parts: Partial<EndedBuild> = {}): EndedBuild {
  return { buildRef: "r", outcome, replica: "a", ...parts };
}

const LOSS: Loss = { replica: "a", fromMs: 1_500, toMs: 5_000 };

function faultsOf(build: RanBuild, ends: readonly EndedBuild[], losses: readonly Loss[] = []): readonly string[] {
  return auditBuilds({ ran: [build], ended: ends, placed: [], losses }).faults;
}

test.each<[string, RanBuild, EndedBuild]>([
  ["a success", ran(), ended("succeeded")],
  ["a failure that was wanted", ran({ wish: "failure", told: "failure" }), ended("failed")],
  ["a client that leaves", ran({ wish: "to leave it", told: "failure" }), ended("cancelled")],
  [
    "a client that leaves a queue",
    ran({ wish: "to leave it", told: "nothing" }),
    ended("cancelled", { replica: undefined }),
  ],
  [
    "a client that leaves a build that has failed",
    ran({ wish: "to leave it", told: "failure", isBroken: true }),
    ended("failed"),
  ],
  ["a client that leaves too late", ran({ wish: "to leave it", told: "nothing" }), ended("succeeded")],
])("adds up: %s", (_name, build, end) => {
  expect(faultsOf(build, [end])).toEqual([]);
});

test.each<[string, RanBuild, EndedBuild[]]>([
  ["a build without an end", ran(), []],
  ["two ends", ran(), [ended("succeeded"), ended("succeeded")]],
  ["a success that the client did not hear", ran({ told: "failure" }), [ended("succeeded")]],
  ["a failure that nobody wanted", ran({ told: "failure" }), [ended("failed")]],
  ["a failure that the client took for a success", ran(), [ended("failed")]],
  ["a loss without a lost replica", ran({ told: "failure" }), [ended("lost")]],
  ["a failure that a client left", ran({ wish: "to leave it", told: "failure" }), [ended("failed")]],
  ["a refusal", ran({ told: "failure" }), [ended("refused", { replica: undefined })]],
  ["a build that was to fail and did not", ran({ wish: "failure" }), [ended("succeeded")]],
  ["a build of nobody's", ran({ refs: [], wish: "to leave it", told: "nothing" }), [ended("cancelled")]],
  ["a command that failed before its build", ran({ refs: [], told: "failure" }), []],
  ["no word to a client that waited", ran({ told: "nothing" }), [ended("succeeded")]],
])("does not add up: %s", (_name, build, ends) => {
  expect(faultsOf(build, ends)).toHaveLength(1);
});

test("a lost replica excuses bad ends of its builds, of that time only", () => {
  const build = ran({ told: "failure" });
  for (const outcome of ["lost", "failed", "cancelled"]) expect(faultsOf(build, [ended(outcome)], [LOSS])).toEqual([]);
  expect(faultsOf(build, [], [LOSS])).toEqual([]);
  expect(faultsOf(build, [ended("lost", { replica: "b" })], [LOSS])).toHaveLength(1);
  expect(faultsOf(build, [ended("lost")], [{ ...LOSS, fromMs: 2_001 }])).toHaveLength(1);
  expect(faultsOf(build, [ended("lost")], [{ ...LOSS, fromMs: 0, toMs: 999 }])).toHaveLength(1);
  expect(faultsOf(build, [ended("refused", { replica: undefined })], [LOSS])).toHaveLength(1);
  expect(faultsOf(ran(), [ended("lost")], [LOSS])).toHaveLength(1);
});

test("a client that is stopped may not have come to its build; one that was placed has an end all the same", () => {
  const build = ran({ wish: "to leave it", told: "nothing" });
  expect(auditBuilds({ ran: [build], ended: [], placed: [], losses: [] })).toMatchObject({ unheard: 1, faults: [] });
  const { faults, placed } = auditBuilds({ ran: [build], ended: [], placed: ["r", "a probe"], losses: [] });
  expect(placed).toBe(1);
  expect(faults).toHaveLength(1);
});

test("targets of a bake are left when one fails", () => {
  const bake = ran({ refs: ["r", "s"], wish: "failure", told: "failure" });
  expect(faultsOf(bake, [ended("failed"), ended("cancelled", { buildRef: "s" })])).toEqual([]);
});

test("builds are counted by their outcomes, those that were placed apart", () => {
  const builds = [ran(), ran({ refs: ["s"], wish: "to leave it", told: "nothing" })];
  const ends = [ended("succeeded"), ended("cancelled", { buildRef: "s", replica: undefined })];
  expect(auditBuilds({ ran: builds, ended: ends, placed: ["r"], losses: [] })).toEqual({
    refs: 2,
    unheard: 0,
    placed: 1,
    outcomes: { succeeded: 1, cancelled: 1 },
    placedOutcomes: { succeeded: 1 },
    excused: 0,
    faults: [],
  });
});
