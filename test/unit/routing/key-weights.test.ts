import { expect, test } from "vitest";
import { weightOf } from "../../../src/routing/key-weights.ts";

const weigh = weightOf([
  { pattern: "*", weight: 0.5 },
  { pattern: "github.com/acme/*", weight: 2 },
  { pattern: "github.com/acme/app", weight: 3 },
  { pattern: "github.com/acme/app*", weight: 4 },
]);

test.each([
  ["github.com/acme/app", 3],
  ["github.com/acme/app//web", 4],
  ["github.com/acme/tool", 2],
  ["github.com/acme", 0.5],
  ["", 0.5],
])("the longest pattern that %j matches counts, an exact one first", (key, weight) => {
  expect(weigh(key)).toBe(weight);
});

test("what matches nothing has weight 1", () => {
  expect(weightOf([])("github.com/acme/app")).toBe(1);
  expect(weightOf([{ pattern: "image:*", weight: 2 }])("github.com/acme/app")).toBe(1);
});

test("a pattern is text, not a regular expression", () => {
  expect(weightOf([{ pattern: "git.*", weight: 2 }])("gitXcom")).toBe(1);
});
