import { expect, test } from "vitest";
import { explain } from "../../../src/routing/explanation.ts";
import { rankIds } from "../../../src/routing/rendezvous.ts";
import { idleReplica } from "./placer-rig.ts";

const OPTIONS = { loadFactor: 1.25, loadFloor: 4, maxBuilds: 4 };
const KEY = "github.com/acme/app";
const [FIRST, SECOND, THIRD] = rankIds(KEY, ["a", "b", "c"]) as [string, string, string];

test("an explanation ranks all replicas and says of each why", () => {
  const replicas = [
    idleReplica(FIRST, { runningBuilds: 4 }),
    idleReplica(SECOND, { runningBuilds: 1 }),
    idleReplica(THIRD, { state: { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" } }),
  ];
  const explanation = explain(KEY, [{ replicaId: THIRD, identity: "" }], replicas, OPTIONS);
  const common = { maxBuilds: 4 };
  expect(explanation).toEqual({
    key: KEY,
    decision: { t: "placed", replicaId: SECOND, reason: { t: "spilled", from: THIRD, because: "ejected" } },
    replicas: [
      { ...common, id: FIRST, rank: 1, state: "ready", running: 4, isWarm: false, verdict: "full (4 of 4 builds)" },
      { ...common, id: SECOND, rank: 2, state: "ready", running: 1, isWarm: false, verdict: "takes it" },
      {
        ...common,
        id: THIRD,
        rank: 3,
        state: "ejected",
        running: 0,
        isWarm: true,
        verdict: "warm, ejected (connect ECONNREFUSED)",
      },
    ],
  });
});

test("a replica over its share, one with room, and one that another build is being confirmed on are told apart", () => {
  const replicas = [
    idleReplica(FIRST, { runningBuilds: 5 }),
    idleReplica(SECOND, { runningBuilds: 1, unconfirmedBuilds: 1 }),
    idleReplica(THIRD),
  ];
  const { decision, replicas: explained } = explain(KEY, [], replicas, { ...OPTIONS, maxBuilds: 100 });
  expect(decision).toEqual({ t: "unconfirmed", replicaId: SECOND });
  expect(explained.map(({ verdict }) => verdict)).toEqual([
    "over its share (5 of 4 builds)",
    "takes it once another build is confirmed",
    "has room",
  ]);
});

test("a place where another daemon answers now is not warm", () => {
  const { replicas } = explain(KEY, [{ replicaId: "a", identity: "the daemon before" }], [idleReplica("a")], OPTIONS);
  expect(replicas[0]).toMatchObject({ isWarm: false, verdict: "takes it" });
});

test("without a key replicas are ranked by their load", () => {
  const replicas = [idleReplica("a", { runningBuilds: 2 }), idleReplica("b", { runningBuilds: 1 }), idleReplica("c")];
  const { key, replicas: explained } = explain(undefined, [], replicas, OPTIONS);
  expect(key).toBeUndefined();
  expect(explained.map(({ id, verdict }) => [id, verdict])).toEqual([
    ["c", "takes it"],
    ["b", "has room"],
    ["a", "has room"],
  ]);
});

test("there may be no replica", () => {
  expect(explain(KEY, [], [], OPTIONS)).toEqual({ key: KEY, decision: { t: "none" }, replicas: [] });
});
