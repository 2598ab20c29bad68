import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchesCertificate, matchesPattern } from "../../../src/identity/name-pattern.ts";

describe("a pattern", () => {
  test.each([
    ["runner-1", "runner-1", true],
    ["runner-1", "runner-", false],
    ["runner-1", "runner-*", true],
    ["runner-", "runner-*", true],
    ["runner-1", "*-1", true],
    ["spiffe://cluster.local/ns/arc/sa/runner", "spiffe://*/ns/arc/sa/*", true],
    ["spiffe://cluster.local/ns/other/sa/runner", "spiffe://*/ns/arc/sa/*", false],
    ["aa", "a*a", true],
    ["a", "a*a", false],
    ["aba", "a*b*a", true],
    ["ab", "a*b*b", false],
    ["", "*", true],
    ["", "", true],
    ["x", "", false],
    ["a+c", "a.c", false],
  ])("%s against %s: %s", (text, pattern, isMatch) => {
    expect(matchesPattern(text, pattern)).toBe(isMatch);
  });

  test("matches as the regular expression that it stands for", () => {
    const piece = fc.stringMatching(/^[ab*]{0,8}$/);
    fc.assert(
      fc.property(fc.stringMatching(/^[ab]{0,10}$/), piece, (text, pattern) => {
        expect(matchesPattern(text, pattern)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text));
      }),
    );
  });

  test("with many stars takes no time to speak of", () => {
    expect(matchesPattern("a".repeat(256), `${"*a".repeat(128)}*b`)).toBe(false);
  });
});

describe("a certificate's names", () => {
  const names = ["uri:spiffe://cluster.local/ns/arc", "dns:runner.example", "cn:uri:spiffe://forged"];

  test.each([
    ["uri:spiffe://cluster.local/*", true],
    ["spiffe://cluster.local/*", true],
    ["dns:runner.*", true],
    ["uri:runner.example", false],
    ["uri:spiffe://forged", false],
    ["cn:runner.example", false],
    ["*", true],
  ])("match %s: %s", (pattern, isMatch) => {
    expect(matchesCertificate(names, pattern)).toBe(isMatch);
  });

  test("match nothing where there are none", () => {
    expect(matchesCertificate([], "*")).toBe(false);
  });
});
