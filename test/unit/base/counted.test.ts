import { expect, test } from "vitest";
import { counted } from "../../../src/base/counted.ts";

test.each([
  [0, "0 builds"],
  [1, "1 build"],
  [2, "2 builds"],
])("%i is written %j", (count, text) => {
  expect(counted(count, "build")).toBe(text);
});
