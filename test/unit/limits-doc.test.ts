import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SETTINGS } from "../../src/config/settings.ts";
import { LIMIT_NAMES } from "../../src/dataplane/over-limit.ts";

const ROOT = new URL("../../", import.meta.url);
const doc = readFileSync(new URL("docs/limits.md", ROOT), "utf8");
const limits = SETTINGS.filter(({ keys }) => keys[0] === "limits");

test("every setting under limits is one that is counted and logged by its name", () => {
  expect(limits.map(({ keys }) => keys[1]).sort()).toEqual([...LIMIT_NAMES].sort());
});

test.each(limits.map(({ keys }) => keys[1]!))("docs/limits.md has a row for %s", (name) => {
  expect(doc).toMatch(new RegExp(`^\\|.*\\| \`${name}\``, "m"));
});

test("the tests that docs/limits.md names are there", () => {
  for (const [, name] of doc.matchAll(/`((?:switch|http2|test\/fault\/)[\w/-]+)`/g)) {
    const path = name!.startsWith("test/") ? `${name}.test.ts` : `test/conformance/${name}.test.ts`;
    expect(existsSync(new URL(path, ROOT)), path).toBe(true);
  }
});
