import { expect, test } from "vitest";
import { closestName, suggestion } from "../../../src/config/closest.ts";

const NAMES = ["--listen", "--replica", "--replicas-dns", "--tls-cert", "--tls-key", "--grace"];

test.each([
  ["--replicas", "--replica"],
  ["--lisetn", "--listen"],
  ["--GRACE", "--grace"],
  ["--tls-crt", "--tls-cert"],
  ["--replicas-d", "--replicas-dns"],
])("%s most likely meant %s", (name, meant) => {
  expect(closestName(name, NAMES)).toBe(meant);
});

test("a name that is near to nothing has no suggestion", () => {
  expect(closestName("--colour-scheme", NAMES)).toBeUndefined();
  expect(suggestion("x".repeat(100_000), NAMES)).toBe("");
});
