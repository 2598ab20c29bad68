import { expect, test } from "vitest";
import type { BuildGroup } from "../../../src/routing/build-group.ts";
import { GroupMemory } from "../../../src/routing/group-memory.ts";

/** All that a memory knows of a group. */
function group(): BuildGroup {
  return { tokens: new Set<string>() } as unknown as BuildGroup;
}

function tokens(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

test("idle groups are found until many newer ones have come", () => {
  const memory = new GroupMemory();
  const first = group();
  memory.name(first, ["first"]);
  memory.retire(first);
  expect(memory.find("first")).toBe(first);
  for (let index = 0; index < 40_000; index++) {
    const next = group();
    memory.name(next, [`next-${index}`]);
    memory.retire(next);
  }
  expect(memory.find("first")).toBeUndefined();
  expect(memory.size).toBe(40_000);
});

test("a group with absurdly many refs and sessions costs no other its memory", () => {
  const memory = new GroupMemory();
  const victim = group();
  memory.name(victim, ["victim"]);
  memory.retire(victim);
  const hostile = group();
  memory.name(hostile, tokens("hostile", 90_000));
  memory.retire(hostile);
  expect(memory.find("victim")).toBe(victim);
  expect(memory.size).toBe(1);
});
