import { expect, test } from "vitest";
import { ContentOwners } from "../../../src/replicas/content-owners.ts";
import type { Replica } from "../../../src/replicas/replica.ts";

function replica(id: string, identity: string, t: "ready" | "gone" = "ready"): Replica {
  const address = { t: "tcp", host: "a", port: 1 } as const;
  return { id, address, state: { t, sinceMs: 0 }, identity, runningBuilds: 0, unconfirmedBuilds: 0 };
}

test("owners of a digest are remembered, the last first, four at most", () => {
  const owners = new ContentOwners();
  expect(owners.of("d")).toEqual([]);
  for (const id of ["a", "b", "c", "d", "e", "b"]) owners.learn(id, ["d", "x"]);
  expect(owners.of("d")).toEqual(["b", "e", "d", "c"]);
});

test("what was another daemon's is forgotten", () => {
  const owners = new ContentOwners();
  owners.observe(replica("a", "one"));
  owners.learn("a", ["d"]);
  owners.learn("b", ["d", "x"]);
  owners.observe(replica("a", "one"));
  owners.observe(replica("a", ""));
  expect(owners.of("d")).toEqual(["b", "a"]);
  owners.observe(replica("a", "two"));
  expect(owners.of("d")).toEqual(["b"]);
  owners.observe(replica("b", "other"));
  owners.observe(replica("b", "other", "gone"));
  expect(owners.of("x")).toEqual([]);
});

test("what a replica has thrown away is forgotten, and learnt again", () => {
  const owners = new ContentOwners();
  owners.learn("a", ["d", "x"]);
  owners.learn("b", ["d"]);
  owners.forget("a");
  expect([owners.of("d"), owners.of("x")]).toEqual([["b"], []]);
  owners.forget("a");
  owners.learn("a", ["x"]);
  expect(owners.of("x")).toEqual(["a"]);
});

test("memory is bounded: the oldest digest goes, and none of absurd length comes", () => {
  const owners = new ContentOwners();
  owners.learn(
    "a",
    Array.from({ length: 100_001 }, (_, index) => `${index}`),
  );
  expect(owners.of("0")).toEqual([]);
  expect(owners.of("100000")).toEqual(["a"]);
  owners.learn("a", ["x".repeat(1_000)]);
  expect(owners.of("x".repeat(1_000))).toEqual([]);
});
