import { expect, test } from "vitest";
import { describeFindings } from "../../../src/cli/doctor-report.ts";
import type { Finding } from "../../../src/doctor/finding.ts";

const FINDINGS: readonly Finding[] = [
  { section: "address", check: "connect", outcome: { t: "ok", seen: "127.0.0.1:1234 answers in 1 ms" } },
  {
    section: "cluster",
    check: "permission: endpointslices in buildkit",
    outcome: { t: "failure", seen: "it may not list", fix: "apply this role", manifest: "kind: Role\nrules:\n  - a\n" },
  },
];

test("a line for each check, what to do below it, and a role as it is applied", () => {
  expect(describeFindings(FINDINGS, { columns: 100, hasColours: false })).toBe(`The way to BuildKit
  ok       connect                       127.0.0.1:1234 answers in 1 ms

The cluster
  FAILED   permission: endpointslices in buildkit
                                         it may not list
                                         to do: apply this role
    kind: Role
    rules:
      - a

1 ok, 0 warnings, 1 failed, 0 skipped
`);
});

test.each([60, 80, 120])("lines are not wider than a terminal of %i columns", (columns) => {
  const long = "word ".repeat(60).trim();
  const finding: Finding = { section: "address", check: "chain", outcome: { t: "warning", seen: long, fix: long } };
  const lines = describeFindings([finding], { columns, hasColours: false }).split("\n");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
});

test("colours are used where they are wanted", () => {
  expect(describeFindings(FINDINGS, { columns: 100, hasColours: true })).toContain("\u001b[31mFAILED \u001b[0m");
  expect(describeFindings(FINDINGS, { columns: 100, hasColours: false })).not.toContain("\u001b");
});
