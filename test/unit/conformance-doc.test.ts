import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const TESTS = join(ROOT, "test/conformance");

/** Groups of cases that h2spec has (github.com/summerwind/h2spec, af83a65). */
const H2SPEC_GROUPS = [
  ..."1 2 3.1 3.2 3.3 3.4 3.5 3.7 3.8 3.9 3.10 4 5".split(" ").map((section) => `generic/${section}`),
  ..."3.5 4.1 4.2 4.3 5.1 5.1.1 5.1.2 5.3.1 5.4.1 5.5 6.1 6.2 6.3 6.4 6.5 6.5.2 6.5.3 6.7 6.8 6.9 6.9.1 6.9.2 6.10 7 8.1 8.1.2 8.1.2.1 8.1.2.2 8.1.2.3 8.1.2.6 8.2"
    .split(" ")
    .map((section) => `http2/${section}`),
  ..."2.3.3 4.2 5.2 6.1 6.3".split(" ").map((section) => `hpack/${section}`),
];

/** A row that names a rule and the files whose tests hold it. */
interface Row {
  readonly rule: string;
  readonly groups: readonly string[];
  readonly files: readonly string[];
}

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const rows = readFileSync(join(ROOT, "docs/conformance.md"), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .flatMap((cells): Row[] => {
    const [, rule = ""] = cells;
    const fromSides = cells.slice(-3, -1);
    if (cells.length === 7 && rule.startsWith("RFC ")) {
      return [{ rule, groups: quoted(cells[2]!), files: fromSides.flatMap(quoted) }];
    }
    return cells.length === 6 && rule.startsWith("gRPC ")
      ? [{ rule, groups: [], files: fromSides.flatMap(quoted) }]
      : [];
  });

const pathOf = (file: string): string => join(TESTS, `${file}.test.ts`);

/** Whether a string of a test says a section (`§6.1`, but not `§6.10`) or a chapter. */
function isNamed(file: string, rule: string): boolean {
  const name = rule.replace(/^RFC (9113|7541) /, "").replaceAll(".", "\\.");
  return new RegExp(`["'\`(][^"'\`\n]*${name}(?![\\d]|\\.\\d|[a-z])`).test(readFileSync(pathOf(file), "utf8"));
}

describe("docs/conformance.md", () => {
  test("has a row for each of h2spec's groups", () => {
    const known = new Set(rows.flatMap(({ groups }) => groups));
    expect([...known].sort()).toEqual([...H2SPEC_GROUPS].sort());
  });

  test("names no rule twice, and a test for each", () => {
    const rules = rows.map(({ rule }) => rule);
    expect(new Set(rules).size).toBe(rules.length);
    for (const { rule, files } of rows) expect(files, rule).not.toEqual([]);
  });

  test.each([...new Set(rows.flatMap(({ files }) => files))])("names sections that %s has tests of", (file) => {
    expect(existsSync(pathOf(file))).toBe(true);
    for (const { rule, files } of rows)
      if (files.includes(file)) expect([rule, isNamed(file, rule)]).toEqual([rule, true]);
  });

  test("names every section that a test of the conformance project names", () => {
    const documented = new Set(rows.map(({ rule }) => rule.split("§")[1] ?? rule));
    for (const entry of readdirSync(TESTS)) {
      const named = readFileSync(join(TESTS, entry), "utf8").matchAll(/^ *(?:\["|test\("|describe\(").*?§([\d.]*\d)/gm);
      for (const [, section] of named) expect(documented, `${entry}: §${section}`).toContain(section);
    }
  });
});
