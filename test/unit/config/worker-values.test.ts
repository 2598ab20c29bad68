import { describe, expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";

describe("workers", () => {
  test.each([
    ["1", 1],
    [4, 4],
    ["64", 64],
    ["auto", 0],
    [0, 0],
    ["0", 0],
  ])("%j is %d", (workers, number) => {
    expect(configSchema.parse({ workers }).workers).toBe(number);
  });

  test.each([
    [65, "too large: 65 (at most 64)"],
    [-1, 'not a number of workers: "-1" (write 1, 4 or auto)'],
    [1.5, 'not a number of workers: "1.5" (write 1, 4 or auto)'],
    ["all", 'not a number of workers: "all" (write 1, 4 or auto)'],
  ])("cannot be %j", (workers, message) => {
    expect(configSchema.safeParse({ workers }).error?.issues.map((issue) => issue.message)).toEqual([message]);
  });
});
