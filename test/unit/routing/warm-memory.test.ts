import fc from "fast-check";
import { expect, test } from "vitest";
import { WarmMemory } from "../../../src/routing/warm-memory.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const KEY = "github.com/acme/app";

function memoryOf(parts: { lifetimeMs?: number; maxKeys?: number; maxPlaces?: number } = {}) {
  const clock = new FakeClock();
  clock.advance(1_000_000);
  return { clock, memory: new WarmMemory({ clock, lifetimeMs: 60_000, maxKeys: 100, ...parts }) };
}

/** Ids of the replicas where a key last built. */
function places(memory: WarmMemory, key = KEY): string[] {
  return memory.find(key).map(({ replicaId }) => replicaId);
}

test("a key is found where it last built, latest first", () => {
  const { memory, clock } = memoryOf();
  expect(memory.find(KEY)).toEqual([]);
  memory.built(KEY, "a", "one");
  clock.advance(1);
  memory.built(KEY, "b", "two");
  expect(memory.find(KEY)).toMatchObject([
    { replicaId: "b", identity: "two" },
    { replicaId: "a", identity: "one" },
  ]);
  clock.advance(1);
  memory.built(KEY, "a", "three");
  expect(memory.find(KEY)).toMatchObject([
    { replicaId: "a", identity: "three" },
    { replicaId: "b", identity: "two" },
  ]);
  expect(memory.size).toBe(1);
});

test("an older report does not win over a newer one, in whatever order they come", () => {
  const { memory } = memoryOf();
  memory.built(KEY, "b", "", 2_000);
  memory.built(KEY, "c", "", 3_000);
  memory.built(KEY, "a", "", 1_000);
  expect(places(memory)).toEqual(["a", "b", "c"]);
  memory.built(KEY, "a", "an older daemon", 9_000);
  expect(memory.find(KEY)[0]).toMatchObject({ replicaId: "a", identity: "" });
  memory.built(KEY, "c", "", 500);
  expect(places(memory)).toEqual(["c", "a", "b"]);
});

test("only the latest places of a key are remembered", () => {
  const { memory } = memoryOf({ maxPlaces: 2 });
  memory.built(KEY, "b", "", 2_000);
  memory.built(KEY, "c", "", 3_000);
  memory.built(KEY, "a", "", 1_000);
  memory.built(KEY, "d", "", 4_000);
  expect(places(memory)).toEqual(["a", "b"]);
  memory.forgetReplica("c");
  memory.forgetReplica("d");
  expect(places(memory)).toEqual(["a", "b"]);
});

test("what is too old is forgotten", () => {
  const { memory, clock } = memoryOf({ lifetimeMs: 60_000 });
  memory.built(KEY, "a", "", 60_000);
  expect(memory.size).toBe(0);
  memory.built(KEY, "a", "", 30_000);
  memory.built(KEY, "b", "");
  clock.advance(29_999);
  expect(places(memory)).toEqual(["b", "a"]);
  clock.advance(1);
  expect(places(memory)).toEqual(["b"]);
  clock.advance(30_000);
  expect(places(memory)).toEqual([]);
  expect(memory.size).toBe(0);
});

test("of too many keys the one that has not built for longest is forgotten", () => {
  const { memory, clock } = memoryOf({ maxKeys: 2 });
  memory.built("one", "a", "");
  clock.advance(1);
  memory.built("two", "a", "");
  clock.advance(1);
  memory.built("one", "b", "");
  clock.advance(1);
  memory.built("three", "a", "");
  expect(memory.size).toBe(2);
  expect(places(memory, "two")).toEqual([]);
  expect(places(memory, "one")).toEqual(["b", "a"]);
});

test("a replica whose cache was pruned is warm for nothing; other places stay", () => {
  const { memory, clock } = memoryOf();
  memory.built(KEY, "a", "");
  clock.advance(1);
  memory.built(KEY, "b", "");
  memory.built("other", "b", "");
  memory.forgetReplica("b");
  expect(places(memory)).toEqual(["a"]);
  expect(memory.size).toBe(1);
  memory.forgetReplica("b");
  memory.forgetReplica("unknown");
  memory.forgetReplica("a");
  expect(memory.size).toBe(0);
});

test("it never holds more than it may, and forgets a replica entirely", () => {
  const id = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.tuple(fc.constant("built"), fc.constantFrom("1", "2", "3", "4", "5", "6"), id, fc.nat(70_000)),
    },
    fc.tuple(fc.constant("forget"), fc.constant(""), id, fc.constant(0)),
    fc.tuple(fc.constant("pass"), fc.constant(""), id, fc.nat(30_000)),
    fc.tuple(fc.constant("find"), fc.constantFrom("1", "2", "3"), id, fc.constant(0)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { memory, clock } = memoryOf({ maxKeys: 4, maxPlaces: 2 });
      for (const [what, key, replicaId, ms] of steps) {
        if (what === "built") memory.built(key, replicaId, "", ms);
        else if (what === "pass") clock.advance(ms);
        else if (what === "find") memory.find(key);
        else {
          memory.forgetReplica(replicaId);
          for (const each of ["1", "2", "3", "4", "5", "6"]) expect(places(memory, each)).not.toContain(replicaId);
        }
        expect(memory.size).toBeLessThanOrEqual(4);
        for (const each of ["1", "2", "3", "4", "5", "6"]) {
          const found = places(memory, each);
          expect(found.length).toBeLessThanOrEqual(2);
          expect(new Set(found).size).toBe(found.length);
        }
      }
    }),
  );
});
