import { expect, test } from "vitest";
import { readCommonName, readSubjectName } from "../../../src/trust/certificate-request.ts";

test.each([
  ["buildkit", { t: "dns", value: "buildkit" }],
  ["Buildkit.Example", { t: "dns", value: "buildkit.example" }],
  ["*.buildkit.example", { t: "dns", value: "*.buildkit.example" }],
  ["10.0.0.1", { t: "ip", value: "10.0.0.1" }],
  ["fd00::1", { t: "ip", value: "fd00::1" }],
  ["spiffe://ci/runners", { t: "uri", value: "spiffe://ci/runners" }],
])("%s is a name of a certificate", (text, name) => {
  expect(readSubjectName(text)).toEqual(name);
});

test.each([
  "",
  "a b",
  "a..b",
  "*.*.example",
  "a.*.example",
  "-a",
  "a:1234",
  "fe80::1%eth0",
  "ü.example",
  "://x",
  "a".repeat(64),
])("%j is none", (text) => {
  expect(() => readSubjectName(text)).toThrow(`not a name of a certificate: ${JSON.stringify(text)}`);
});

test("a name has 253 characters at most, a URI 2,048", () => {
  const label = "a".repeat(49);
  expect(readSubjectName(`${`${label}.`.repeat(5)}abc`).value).toHaveLength(253);
  expect(() => readSubjectName(`${`${label}.`.repeat(5)}abcd`)).toThrow();
  expect(readSubjectName(`spiffe://${"a".repeat(2_039)}`).value).toHaveLength(2_048);
  expect(() => readSubjectName(`spiffe://${"a".repeat(2_040)}`)).toThrow();
});

test("a common name is 1 to 64 characters of ASCII, not all of them blank", () => {
  expect(readCommonName("sonda-red buildkit")).toBe("sonda-red buildkit");
  expect(readCommonName("a".repeat(64))).toHaveLength(64);
  for (const text of ["", "  ", "a".repeat(65), "a\nb", "ü"]) {
    expect(() => readCommonName(text)).toThrow("not a common name");
  }
});
