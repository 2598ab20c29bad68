import { expect, test } from "vitest";
import { PoolArchitecture } from "../../../src/replicas/pool-architecture.ts";

const AMD64 = ["linux/amd64", "linux/amd64/v2", "linux/arm64"];
const ARM64 = ["linux/arm64/v8"];

test("replicas of one architecture are of one pool, whatever they emulate", () => {
  const architecture = new PoolArchitecture([]);
  expect(architecture.judge("a", AMD64)).toBeUndefined();
  expect(architecture.judge("b", ["linux/amd64"])).toBeUndefined();
  expect(architecture.judge("c", [])).toBeUndefined();
  expect(architecture.conflict).toBeUndefined();
});

test("an odd one is told what to do, and is no conflict", () => {
  const architecture = new PoolArchitecture([]);
  architecture.judge("a", AMD64);
  architecture.judge("b", AMD64);
  expect(architecture.judge("c", ARM64)).toBe(
    "it builds for linux/arm64, this pool for linux/amd64: it needs a pool of its own (pools, platforms)",
  );
  expect(architecture.conflict).toBeUndefined();
});

test("while two are even the first stays, and that is a conflict until one has more", () => {
  const architecture = new PoolArchitecture([]);
  expect(architecture.judge("a", ARM64)).toBeUndefined();
  expect(architecture.judge("b", AMD64)).toContain("this pool for linux/arm64");
  expect(architecture.judge("a", ARM64)).toBeUndefined();
  expect(architecture.conflict).toContain("linux/amd64 (b) and linux/arm64 (a)");
  expect(architecture.judge("c", AMD64)).toBeUndefined();
  expect(architecture.conflict).toBeUndefined();
  expect(architecture.judge("a", ARM64)).toContain("this pool for linux/amd64");
});

test("what the operator has said holds where any has it, however many are of another", () => {
  const architecture = new PoolArchitecture(["linux/arm64"]);
  expect(architecture.judge("c", ARM64)).toBeUndefined();
  expect(architecture.judge("a", AMD64)).toContain("this pool for linux/arm64");
  expect(architecture.judge("b", AMD64)).toBeDefined();
  expect(architecture.conflict).toBeUndefined();
});

test("what the operator has said does not put out a pool of which it is not true", () => {
  const architecture = new PoolArchitecture(["linux/arm64"]);
  expect(architecture.judge("a", AMD64)).toBeUndefined();
  expect(architecture.judge("b", AMD64)).toBeUndefined();
  expect(architecture.judge("c", ARM64)).toBeUndefined();
  expect(architecture.judge("a", AMD64)).toContain("this pool for linux/arm64");
});

test("replicas that are gone do not count, and no message names hundreds", () => {
  const architecture = new PoolArchitecture([]);
  for (let index = 0; index < 5; index++) {
    architecture.judge(`a${index}`, AMD64);
    architecture.judge(`b${index}`, ARM64);
  }
  expect(architecture.conflict).toContain("linux/amd64 (a0, a1, a2 and 2 more)");
  architecture.forget("b0");
  expect(architecture.conflict).toBeUndefined();
});
