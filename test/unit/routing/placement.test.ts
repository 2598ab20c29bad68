import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acceptsBuilds, type Replica, type ReplicaState } from "../../../src/replicas/replica.ts";
import {
  fleetRoom,
  type Placement,
  type PlacementQuery,
  place,
  placeAnywhere,
} from "../../../src/routing/placement.ts";
import { rankIds } from "../../../src/routing/rendezvous.ts";
import { idleReplica } from "./placer-rig.ts";

const OPTIONS = { loadFactor: 1.25, loadFloor: 4, maxBuilds: 0 };
const FOUR_EACH = { ...OPTIONS, maxBuilds: 4 };
const KEY = "github.com/acme/app";
/** The key's order, so that tests name replicas by their rank. */
const [FIRST, SECOND, THIRD] = rankIds(KEY, ["a", "b", "c"]) as [string, string, string];

type Loads = Record<string, number | Partial<Replica>>;

function fleet(loads: Loads): Replica[] {
  return Object.entries(loads)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([id, load]) => idleReplica(id, typeof load === "number" ? { runningBuilds: load } : load));
}

function query(parts: Partial<PlacementQuery> = {}): PlacementQuery {
  return { key: KEY, warm: [], excluded: new Map(), isPatient: true, ...parts };
}

function warmAt(...ids: string[]): Pick<PlacementQuery, "warm"> {
  return { warm: ids.map((replicaId) => ({ replicaId, identity: `daemon of ${replicaId}` })) };
}

function placed(replicaId: string, t: "warm" | "preferred" | "least loaded"): Placement {
  return { t: "placed", replicaId, reason: { t } };
}

function spilled(replicaId: string, from: string, because: string): Placement {
  return { t: "placed", replicaId, reason: { t: "spilled", from, because } };
}

const OUT: ReplicaState[] = [
  { t: "connecting", sinceMs: 0 },
  { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" },
  { t: "draining", sinceMs: 0, reason: "GOAWAY 0" },
  { t: "gone", sinceMs: 0 },
];

describe("a key that is warm nowhere", () => {
  test("goes to the first replica in its order", () => {
    expect(place(query(), fleet({ a: 0, b: 0, c: 0 }), OPTIONS)).toEqual(placed(FIRST, "preferred"));
  });

  test("stays with the first while that is below the floor", () => {
    const loads = { [FIRST]: 3, [SECOND]: 0, [THIRD]: 0 };
    expect(place(query(), fleet(loads), OPTIONS)).toEqual(placed(FIRST, "preferred"));
  });

  test("is passed on at once when the first is over its share", () => {
    const over = fleet({ [FIRST]: 4, [SECOND]: 0, [THIRD]: 0 });
    expect(place(query(), over, OPTIONS)).toEqual(spilled(SECOND, FIRST, "over its share"));
    // Share: ceil(1.25 × (30 + 1) / 3) = 13.
    expect(place(query(), fleet({ [FIRST]: 12, [SECOND]: 9, [THIRD]: 9 }), OPTIONS)).toEqual(
      placed(FIRST, "preferred"),
    );
    expect(place(query(), fleet({ [FIRST]: 13, [SECOND]: 13, [THIRD]: 4 }), OPTIONS)).toEqual(
      spilled(THIRD, FIRST, "over its share"),
    );
  });

  test("is passed on at once when the first is full", () => {
    expect(place(query(), fleet({ [FIRST]: 4, [SECOND]: 0, [THIRD]: 0 }), FOUR_EACH)).toEqual(
      spilled(SECOND, FIRST, "full"),
    );
    expect(place(query(), fleet({ [FIRST]: 4, [SECOND]: 4, [THIRD]: 0 }), FOUR_EACH)).toEqual(
      spilled(THIRD, FIRST, "full"),
    );
  });

  test("waits for room when all are full", () => {
    expect(place(query(), fleet({ a: 4, b: 4, c: 5 }), FOUR_EACH)).toEqual({ t: "full" });
    expect(place(query({ key: undefined }), fleet({ a: 4 }), FOUR_EACH)).toEqual({ t: "full" });
  });

  test("goes to the least loaded with room when nobody is under the share", () => {
    const options = { loadFactor: 1, loadFloor: 0, maxBuilds: 2 };
    // The full ones make the mean; what they have above maxBuilds came from elsewhere.
    expect(place(query(), fleet({ [FIRST]: 9, [SECOND]: 1, [THIRD]: 9 }), options)).toEqual(
      spilled(SECOND, FIRST, "full"),
    );
  });

  test("finds somebody under the share, however much runs", () => {
    for (const load of [0, 1, 4, 5, 1_000]) {
      for (const loadFactor of [1, 1.25, 10]) {
        const options = { loadFactor, loadFloor: 0, maxBuilds: 0 };
        expect(place(query(), fleet({ a: load, b: load, c: load }), options)).toEqual(placed(FIRST, "preferred"));
      }
    }
  });

  test("fills the fleet evenly with a load factor of 1", () => {
    const loads: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 30; i++) {
      const placement = place(query(), fleet(loads), { loadFactor: 1, loadFloor: 0, maxBuilds: 0 });
      loads[(placement as { replicaId: string }).replicaId]!++;
    }
    expect(loads).toEqual({ a: 10, b: 10, c: 10 });
  });
});

describe("a key that is warm somewhere", () => {
  test("goes there, wherever its order begins", () => {
    for (const id of ["a", "b", "c"]) {
      expect(place(query(warmAt(id)), fleet({ a: 1, b: 2, c: 3 }), OPTIONS)).toEqual(placed(id, "warm"));
    }
  });

  test("goes to another place where it is warm when the latest is busy", () => {
    expect(place(query(warmAt("a", "b")), fleet({ a: 4, b: 3, c: 0 }), FOUR_EACH)).toEqual(placed("b", "warm"));
  });

  test("goes to the latest of its places that run less than the mean, else to the least loaded of them", () => {
    const places = query(warmAt("a", "b", "c"));
    const options = { loadFactor: 3, loadFloor: 0, maxBuilds: 0 };
    expect(place(places, fleet({ a: 2, b: 1, c: 0, d: 9 }), options)).toEqual(placed("a", "warm"));
    expect(place(places, fleet({ a: 3, b: 2, c: 1, d: 3 }), options)).toEqual(placed("b", "warm"));
    expect(place(places, fleet({ a: 3, b: 3, c: 1, d: 3 }), options)).toEqual(placed("c", "warm"));
    expect(place(places, fleet({ a: 3, b: 2, c: 2, d: 0 }), options)).toEqual(placed("b", "warm"));
    expect(place(places, fleet({ a: 3, b: 3, c: 3, d: 0 }), options)).toEqual(placed("a", "warm"));
  });

  test("stays at the latest while that runs less than the floor and half of what it may", () => {
    const places = query(warmAt("a", "b"));
    expect(place(places, fleet({ a: 3, b: 0, c: 0 }), { ...OPTIONS, maxBuilds: 8 })).toEqual(placed("a", "warm"));
    expect(place(places, fleet({ a: 1, b: 0, c: 0 }), FOUR_EACH)).toEqual(placed("a", "warm"));
    expect(place(places, fleet({ a: 2, b: 0, c: 0 }), FOUR_EACH)).toEqual(placed("b", "warm"));
  });

  test("waits while that is full or over its share, as long as it is patient", () => {
    expect(place(query(warmAt(THIRD)), fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: 4 }), FOUR_EACH)).toEqual({
      t: "busy",
      replicaId: THIRD,
    });
    expect(place(query(warmAt(THIRD)), fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: 4 }), OPTIONS)).toEqual({
      t: "busy",
      replicaId: THIRD,
    });
  });

  test("goes to the first of its order that is free when its patience is over", () => {
    const over = { ...warmAt(THIRD), isPatient: false };
    expect(place(query(over), fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: 4 }), FOUR_EACH)).toEqual(
      spilled(FIRST, THIRD, "full"),
    );
    expect(place(query(over), fleet({ [FIRST]: 4, [SECOND]: 3, [THIRD]: 4 }), FOUR_EACH)).toEqual(
      spilled(SECOND, THIRD, "full"),
    );
    expect(place(query(over), fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: 4 }), OPTIONS)).toEqual(
      spilled(FIRST, THIRD, "over its share"),
    );
  });

  test("waits for room, and not for that replica, when all are full", () => {
    for (const isPatient of [true, false]) {
      expect(place(query({ ...warmAt("a"), isPatient }), fleet({ a: 4, b: 4 }), FOUR_EACH)).toEqual({ t: "full" });
    }
  });

  test.each(OUT)("goes elsewhere at once when that is $t", (state) => {
    const replicas = fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: { state } });
    expect(place(query(warmAt(THIRD)), replicas, OPTIONS)).toEqual(spilled(FIRST, THIRD, state.t));
  });

  test("goes elsewhere at once when that is no longer known, or could not be reached", () => {
    expect(place(query(warmAt("x")), fleet({ a: 0, b: 0, c: 0 }), OPTIONS)).toEqual(spilled(FIRST, "x", "gone"));
    const excluded = new Map([[FIRST, "connect ECONNREFUSED"]]);
    expect(place(query({ ...warmAt(FIRST), excluded }), fleet({ a: 0, b: 0, c: 0 }), OPTIONS)).toEqual(
      spilled(SECOND, FIRST, "could not be reached"),
    );
  });

  test("waits for one that is busy when another of its places is out", () => {
    const replicas = fleet({ [FIRST]: 4, [SECOND]: 0, [THIRD]: { state: { t: "gone", sinceMs: 0 } } });
    expect(place(query(warmAt(THIRD, FIRST)), replicas, FOUR_EACH)).toEqual({ t: "busy", replicaId: FIRST });
  });

  test("is warm nowhere when another daemon answers under that name", () => {
    const warm = [{ replicaId: THIRD, identity: "the daemon before" }];
    expect(place(query({ warm }), fleet({ a: 0, b: 0, c: 0 }), OPTIONS)).toEqual(placed(FIRST, "preferred"));
    for (const [then, now] of [
      ["", "daemon"],
      ["daemon", ""],
      ["", ""],
    ] as const) {
      const replicas = fleet({ [FIRST]: 0, [SECOND]: 0, [THIRD]: { identity: now } });
      expect(place(query({ warm: [{ replicaId: THIRD, identity: then }] }), replicas, OPTIONS)).toEqual(
        placed(THIRD, "warm"),
      );
    }
  });
});

describe("a build without a key", () => {
  test("goes to the least loaded, the first of equals", () => {
    const anywhere = query({ key: undefined });
    expect(place(anywhere, fleet({ a: 2, b: 1, c: 3 }), OPTIONS)).toEqual(placed("b", "least loaded"));
    expect(place(anywhere, fleet({ a: 1, b: 1, c: 1 }), OPTIONS)).toEqual(placed("a", "least loaded"));
  });
});

describe("a replica whose last build other gateways cannot see yet", () => {
  const unconfirmed = { runningBuilds: 1, unconfirmedBuilds: 1 };

  test("is waited for where builds are limited", () => {
    const waits = { t: "unconfirmed", replicaId: FIRST };
    const replicas = fleet({ [FIRST]: unconfirmed, [SECOND]: 0, [THIRD]: 0 });
    expect(place(query(), replicas, FOUR_EACH)).toEqual(waits);
    expect(place(query(warmAt(FIRST)), replicas, FOUR_EACH)).toEqual(waits);
    expect(place(query({ ...warmAt(FIRST), isPatient: false }), replicas, FOUR_EACH)).toEqual(waits);
  });

  test("takes the next one where they are not", () => {
    const replicas = fleet({ [FIRST]: unconfirmed, [SECOND]: 0, [THIRD]: 0 });
    expect(place(query(), replicas, OPTIONS)).toEqual(placed(FIRST, "preferred"));
  });
});

describe("a replica that takes no builds", () => {
  test.each(OUT)("gets none when it is $t", (state) => {
    const replicas = fleet({ [FIRST]: { state }, [SECOND]: 0, [THIRD]: 0 });
    expect(place(query(), replicas, OPTIONS)).toEqual(placed(SECOND, "preferred"));
    expect(place(query({ key: undefined }), fleet({ a: { state }, b: 9 }), OPTIONS)).toEqual(
      placed("b", "least loaded"),
    );
    expect(place(query(), fleet({ a: { state } }), OPTIONS)).toEqual({ t: "none" });
    expect(placeAnywhere(fleet({ a: { state } }), new Map())).toBeUndefined();
  });

  test("does not raise the share of the others", () => {
    const state: ReplicaState = { t: "draining", sinceMs: 0, reason: "" };
    const replicas = fleet({ [FIRST]: 4, [SECOND]: 0, [THIRD]: { runningBuilds: 400, state } });
    expect(place(query(), replicas, OPTIONS)).toEqual(spilled(SECOND, FIRST, "over its share"));
  });

  test("could not be reached for this build, and is passed over by this build", () => {
    const excluded = new Map([[FIRST, "refused"]]);
    expect(place(query({ excluded }), fleet({ a: 0, b: 0, c: 0 }), OPTIONS)).toEqual(placed(SECOND, "preferred"));
    expect(place(query({ excluded: new Map([["a", ""]]) }), fleet({ a: 0 }), OPTIONS)).toEqual({ t: "none" });
  });

  test("may be all there is, and there may be none", () => {
    expect(place(query(), [], OPTIONS)).toEqual({ t: "none" });
    expect(place(query({ key: undefined }), [], OPTIONS)).toEqual({ t: "none" });
    expect(place(query(warmAt("a")), [], OPTIONS)).toEqual({ t: "none" });
  });
});

test("what needs no room goes to the least loaded, full or not", () => {
  expect(placeAnywhere(fleet({ a: 9, b: 7, c: 8 }), new Map())?.id).toBe("b");
  expect(placeAnywhere(fleet({ a: 9, b: 7, c: 8 }), new Map([["b", "refused"]]))?.id).toBe("c");
});

test("a fleet has room, is full, or takes nothing", () => {
  expect(fleetRoom(fleet({ a: 4, b: 3 }), FOUR_EACH)).toBe("room");
  expect(fleetRoom(fleet({ a: 4, b: 4 }), FOUR_EACH)).toBe("full");
  expect(fleetRoom(fleet({ a: 4, b: 4 }), OPTIONS)).toBe("room");
  expect(fleetRoom(fleet({ a: { state: { t: "gone", sinceMs: 0 } } }), FOUR_EACH)).toBe("none");
});

test("whatever the fleet, a build goes where it may, and waits only for a reason", () => {
  const replica = fc.record({
    runningBuilds: fc.nat(6),
    unconfirmedBuilds: fc.constantFrom(0, 0, 1),
    state: fc.constantFrom<ReplicaState>({ t: "ready", sinceMs: 0 }, { t: "ready", sinceMs: 0 }, ...OUT),
    identity: fc.constantFrom("one", "other", ""),
  });
  const ids = fc.subarray(["r0", "r1", "r2", "r3", "r4"]);
  const warmPlace = fc.record({
    replicaId: fc.constantFrom("r0", "r1", "r2", "r3", "x"),
    identity: fc.constantFrom("one", ""),
  });
  fc.assert(
    fc.property(
      fc.array(replica, { maxLength: 5 }),
      fc.uniqueArray(warmPlace, { maxLength: 3, selector: ({ replicaId }) => replicaId }),
      ids,
      fc.boolean(),
      fc.option(fc.constantFrom("k1", "k2", "k3"), { nil: undefined }),
      fc.record({
        loadFactor: fc.constantFrom(1, 1.25, 3),
        loadFloor: fc.nat(5),
        maxBuilds: fc.nat(5),
      }),
      (parts, places, excludedIds, isPatient, key, options) => {
        const replicas = parts.map((part, i) => idleReplica(`r${i}`, part));
        const excluded = new Map(excludedIds.map((id) => [id, "refused"]));
        const warm = key === undefined ? [] : places;
        const placement = place({ key, warm, excluded, isPatient }, replicas, options);
        const candidates = replicas.filter((each) => acceptsBuilds(each) && !excluded.has(each.id));
        const withRoom = candidates.filter((each) => !options.maxBuilds || each.runningBuilds < options.maxBuilds);
        expect(placement.t === "none").toBe(candidates.length === 0);
        expect(placement.t === "full").toBe(candidates.length > 0 && withRoom.length === 0);
        if (placement.t === "busy") {
          expect(isPatient).toBe(true);
          expect(candidates.map(({ id }) => id)).toContain(placement.replicaId);
          expect(withRoom.some(({ id }) => id !== placement.replicaId)).toBe(true);
        }
        if (placement.t !== "placed" && placement.t !== "unconfirmed") return;
        const chosen = withRoom.find(({ id }) => id === placement.replicaId);
        expect(chosen).toBeDefined();
        expect(options.maxBuilds > 0 && chosen!.unconfirmedBuilds > 0).toBe(placement.t === "unconfirmed");
      },
    ),
    { numRuns: 2_000 },
  );
});
