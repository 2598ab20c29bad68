import { expect, test } from "vitest";
import { hashText, rankIds, rendezvousWeight } from "../../../src/routing/rendezvous.ts";

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
  expect(rankIds("github.com/acme/app", ["a", "b", "c", "d"])).toEqual(["c", "a", "d", "b"]);
  expect(rankIds("image:acme/app", ["buildkit-2", "buildkit-1", "buildkit-0"])).toEqual([
    "buildkit-0",
    "buildkit-1",
    "buildkit-2",
  ]);
});

test("removing a replica moves only the keys it owned, to the next in their order", () => {
  for (const key of KEYS) {
    const before = rankIds(key, ["a", "b", "c", "d"]);
    expect(rankIds(key, ["a", "b", "d"])).toEqual(before.filter((id) => id !== "c"));
  }
});

test("adding a replica moves only its fair part of the keys, all of them to it", () => {
  const ids = Array.from({ length: 50 }, (_, i) => `buildkit-${i}`);
  let moved = 0;
  for (let i = 0; i < 10_000; i++) {
    const key = `github.com/acme/app-${i}`;
    const was = rankIds(key, ids)[0];
    const is = rankIds(key, [...ids, "buildkit-50"])[0];
    if (was === is) continue;
    moved++;
    expect(is).toBe("buildkit-50");
  }
  expect(moved / 10_000).toBeGreaterThan(0.8 / 51);
  expect(moved / 10_000).toBeLessThan(1.2 / 51);
});

test.each([
  ["letters", ["a", "b", "c"]],
  ["a StatefulSet's pods", Array.from({ length: 50 }, (_, i) => `buildkit-${i}`)],
  ["a Deployment's pods", Array.from({ length: 10 }, (_, i) => `buildkit-7f9c8d6b5-${hashText(`${i}`).toString(36)}`)],
  ["addresses", Array.from({ length: 30 }, (_, i) => `10.0.0.${i}:1234`)],
])("keys are spread evenly over %s, on each rank", (_what, ids) => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `github.com/acme-${i % 7}/app-${i}`);
  for (const rank of [0, 1, ids.length - 1]) {
    const owned = new Map<string, number>();
    for (const key of keys.slice(0, rank === 0 ? 20_000 : 5_000)) {
      const id = rankIds(key, ids)[rank]!;
      owned.set(id, (owned.get(id) ?? 0) + 1);
    }
    const total = [...owned.values()].reduce((sum, count) => sum + count);
    const fair = total / ids.length;
    // χ² with n-1 degrees of freedom: mean n-1, variance 2(n-1); five standard deviations.
    const chiSquare = ids.reduce((sum, id) => sum + ((owned.get(id) ?? 0) - fair) ** 2 / fair, 0);
    expect(chiSquare).toBeLessThan(ids.length - 1 + 5 * Math.sqrt(2 * (ids.length - 1)));
  }
});

test("one changed bit of a key or of an id changes half the bits of the weight", () => {
  const counts = Array.from({ length: 32 }, () => 0);
  const flip = (text: string, at: number, bit: number): string =>
    text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1);
  let compared = 0;
  for (const key of KEYS.slice(0, 200)) {
    for (let at = 0; at < 10; at++) {
      for (const id of ["buildkit-10", "buildkit-42"]) {
        const weight = rendezvousWeight(hashText(key), id);
        const others = [
          rendezvousWeight(hashText(flip(key, key.length - 1 - at, at % 7)), id),
          rendezvousWeight(hashText(key), flip(id, at, at % 7)),
        ];
        for (const other of others) {
          compared++;
          for (let bit = 0; bit < 32; bit++) counts[bit]! += ((weight ^ other) >>> bit) & 1;
        }
      }
    }
  }
  for (const count of counts) {
    expect(count / compared).toBeGreaterThan(0.45);
    expect(count / compared).toBeLessThan(0.55);
  }
});

test("keys that prefer the same replica do not share the rest of their order", () => {
  const ids = ["a", "b", "c", "d"];
  const orders = new Set(KEYS.map((key) => rankIds(key, ids).join("")));
  expect(orders.size).toBe(24);
});

test("there may be no replica, or one", () => {
  expect(rankIds("key", [])).toEqual([]);
  expect(rankIds("", ["a"])).toEqual(["a"]);
});
