import { expect, test } from "vitest";
import { objectKey, readApiObject } from "../../../src/kubernetes/api-object.ts";

test("an object is known by its namespace and name", () => {
  expect(objectKey(readApiObject({ metadata: { namespace: "arc", name: "runner-1" } })!)).toBe("arc/runner-1");
  expect(objectKey(readApiObject({ metadata: { name: "node-1" } })!)).toBe("node-1");
});

test.each([
  [undefined],
  [null],
  ["pod"],
  [{}],
  [{ metadata: null }],
  [{ metadata: { name: 7 } }],
  [{ metadata: { name: "runner-1", namespace: 7 } }],
  [{ metadata: { name: "runner-1", namespace: null } }],
])("%j is no object", (value) => {
  expect(readApiObject(value)).toBeUndefined();
});
