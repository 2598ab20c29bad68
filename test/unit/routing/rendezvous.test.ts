import { expect, test } from "vitest";
import { rankIds } from "../../../src/routing/rendezvous.ts";

const KEYS = Array.from({ length: 1_000 }, (_, i) => `github.com/acme/app-${i}`);

test("every gateway ranks replicas alike, in whatever order it knows them", () => {
  for (const key of KEYS.slice(0, 100)) {
    const order = rankIds(key, ["a", "b", "c", "d"]);
    expect(rankIds(key, ["d", "c", "b", "a"])).toEqual(order);
    expect(rankIds(key, ["b", "d", "a", "c"])).toEqual(order);
    expect([...order].sort()).toEqual(["a", "b", "c", "d"]);
  }
});

test("the order of a release is the order of the next", () => {
  // A rolling update runs two versions side by side: they must agree.
  expect(rankIds("github.com/acme/app", ["a", "b", "c", "d"])).toEqual(["d", "a", "c", "b"]);
  expect(rankIds("image:acme/app", ["buildkit-0", "buildkit-1", "buildkit-2"])).toEqual([
    "buildkit-2",
    "buildkit-1",
    "buildkit-0",
  ]);
});

test("removing a replica moves only the keys it owned, to the next in their order", () => {
  for (const key of KEYS) {
    const before = rankIds(key, ["a", "b", "c", "d"]);
    expect(rankIds(key, ["a", "b", "d"])).toEqual(before.filter((id) => id !== "c"));
  }
});

test("keys are spread evenly over replicas", () => {
  for (const ids of [["a", "b", "c"], Array.from({ length: 10 }, (_, i) => `buildkit-${i}`)]) {
    const owned = new Map<string, number>();
    for (const key of KEYS) {
      const first = rankIds(key, ids)[0]!;
      owned.set(first, (owned.get(first) ?? 0) + 1);
    }
    const fair = KEYS.length / ids.length;
    for (const id of ids) {
      expect(owned.get(id)).toBeGreaterThan(fair * 0.7);
      expect(owned.get(id)).toBeLessThan(fair * 1.3);
    }
  }
});

test("there may be no replica, or one", () => {
  expect(rankIds("key", [])).toEqual([]);
  expect(rankIds("", ["a"])).toEqual(["a"]);
});
