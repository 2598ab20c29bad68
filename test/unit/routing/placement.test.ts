import { expect, test } from "vitest";
import type { Replica, ReplicaState } from "../../../src/replicas/replica.ts";
import { type Placement, place } from "../../../src/routing/placement.ts";
import { rankIds } from "../../../src/routing/rendezvous.ts";
import { readyReplica } from "./routing-rig.ts";

const OPTIONS = { loadFactor: 1.25, loadFloor: 4 };
const NONE_EXCLUDED = new Map<string, string>();
const KEY = "github.com/acme/app";
/** The key's order, so that tests name replicas by their rank. */
const [FIRST, SECOND, THIRD] = rankIds(KEY, ["a", "b", "c"]) as [string, string, string];

function fleet(loads: Record<string, number>, states: Record<string, ReplicaState> = {}): Replica[] {
  return Object.entries(loads).map(([id, load]) => ({
    ...readyReplica(id, load),
    ...(states[id] && { state: states[id] }),
  }));
}

function placed(replicaId: string, reason: string): Placement {
  return { t: "placed", replicaId, reason } as Placement;
}

test("a key goes to the first replica in its order", () => {
  expect(place(KEY, fleet({ a: 0, b: 0, c: 0 }), NONE_EXCLUDED, OPTIONS)).toEqual(placed(FIRST, "preferred"));
});

test("a replica below the floor is never over its share", () => {
  const loads = { [FIRST]: 3, [SECOND]: 0, [THIRD]: 0 };
  expect(place(KEY, fleet(loads), NONE_EXCLUDED, OPTIONS)).toEqual(placed(FIRST, "preferred"));
});

test("a replica at its share passes a build on to the next in the key's order", () => {
  expect(place(KEY, fleet({ [FIRST]: 4, [SECOND]: 0, [THIRD]: 0 }), NONE_EXCLUDED, OPTIONS)).toEqual(
    placed(SECOND, "spilled"),
  );
  // Share: ceil(1.25 × (30 + 1) / 3) = 13.
  expect(place(KEY, fleet({ [FIRST]: 12, [SECOND]: 9, [THIRD]: 9 }), NONE_EXCLUDED, OPTIONS)).toEqual(
    placed(FIRST, "preferred"),
  );
  expect(place(KEY, fleet({ [FIRST]: 13, [SECOND]: 9, [THIRD]: 8 }), NONE_EXCLUDED, OPTIONS)).toEqual(
    placed(SECOND, "spilled"),
  );
  expect(place(KEY, fleet({ [FIRST]: 13, [SECOND]: 13, [THIRD]: 4 }), NONE_EXCLUDED, OPTIONS)).toEqual(
    placed(THIRD, "spilled"),
  );
});

test("somebody is always under the share, however much runs", () => {
  for (const load of [0, 1, 4, 5, 1_000]) {
    for (const loadFactor of [1, 1.25, 10]) {
      const options = { loadFactor, loadFloor: 0 };
      const placement = place(KEY, fleet({ a: load, b: load, c: load }), NONE_EXCLUDED, options);
      expect(placement).toEqual(placed(FIRST, "preferred"));
    }
  }
});

test("with a load factor of 1 builds of one key fill the fleet evenly", () => {
  const loads: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 30; i++) {
    const placement = place(KEY, fleet(loads), NONE_EXCLUDED, { loadFactor: 1, loadFloor: 0 });
    loads[(placement as { replicaId: string }).replicaId]!++;
  }
  expect(loads).toEqual({ a: 10, b: 10, c: 10 });
});

test.each<ReplicaState>([
  { t: "connecting", sinceMs: 0 },
  { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" },
  { t: "draining", sinceMs: 0, reason: "GOAWAY 0" },
  { t: "gone", sinceMs: 0 },
])("a replica that is $t gets nothing", (state) => {
  const replicas = fleet({ a: 0, b: 0, c: 0 }, { [FIRST]: state });
  expect(place(KEY, replicas, NONE_EXCLUDED, OPTIONS)).toEqual(placed(SECOND, "preferred"));
  expect(place(undefined, fleet({ a: 0, b: 0 }, { a: state }), NONE_EXCLUDED, OPTIONS)).toEqual(
    placed("b", "least loaded"),
  );
  expect(place(KEY, fleet({ a: 0 }, { a: state }), NONE_EXCLUDED, OPTIONS)).toEqual({ t: "none" });
});

test("what runs on a replica that is out does not raise the share of the others", () => {
  const replicas = fleet(
    { [FIRST]: 4, [SECOND]: 0, [THIRD]: 400 },
    { [THIRD]: { t: "draining", sinceMs: 0, reason: "" } },
  );
  expect(place(KEY, replicas, NONE_EXCLUDED, OPTIONS)).toEqual(placed(SECOND, "spilled"));
});

test("a replica that could not be reached for this build is passed over", () => {
  const replicas = fleet({ a: 0, b: 0, c: 0 });
  expect(place(KEY, replicas, new Map([[FIRST, "refused"]]), OPTIONS)).toEqual(placed(SECOND, "preferred"));
  const all = new Map(["a", "b", "c"].map((id) => [id, "refused"]));
  expect(place(KEY, replicas, all, OPTIONS)).toEqual({ t: "none" });
  expect(place(undefined, replicas, all, OPTIONS)).toEqual({ t: "none" });
});

test("without a key the least loaded replica is taken", () => {
  expect(place(undefined, fleet({ a: 2, b: 1, c: 3 }), NONE_EXCLUDED, OPTIONS)).toEqual(placed("b", "least loaded"));
  expect(place(undefined, fleet({ a: 1, b: 1, c: 1 }), NONE_EXCLUDED, OPTIONS)).toEqual(placed("a", "least loaded"));
});

test("there may be no replica at all", () => {
  expect(place(KEY, [], NONE_EXCLUDED, OPTIONS)).toEqual({ t: "none" });
  expect(place(undefined, [], NONE_EXCLUDED, OPTIONS)).toEqual({ t: "none" });
});
