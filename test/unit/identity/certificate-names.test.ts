import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { certificateNames } from "../../../src/identity/certificate-names.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const authority = new TestAuthority();

function namesOf(commonName: string, names: readonly string[] = []): string[] {
  return certificateNames(new X509Certificate(authority.issue({ commonName, names }).cert));
}

test("names come with their kinds, the most telling first and the common name last", () => {
  const names = ["runner.example", "10.0.0.7", "spiffe://cluster.local/ns/arc/sa/runner"];
  expect(namesOf("runner-1", names)).toEqual([
    "uri:spiffe://cluster.local/ns/arc/sa/runner",
    "dns:runner.example",
    "ip:10.0.0.7",
    "cn:runner-1",
  ]);
});

test("a certificate without alternative names has its common name", () => {
  expect(namesOf("runner-1")).toEqual(["cn:runner-1"]);
});

describe("a name cannot pass for another", () => {
  test.each(["a.example, DNS:b.example", 'a.example", DNS:"b.example', "a\\, URI:x"])("%j", (name) => {
    expect(namesOf("c", [name])).toEqual([`dns:${name}`, "cn:c"]);
  });
});

test("what a terminal acts on is taken out, and what is too long is cut", () => {
  expect(namesOf("a\u001b[31mb")).toEqual(["cn:a?[31mb"]);
  const [uri] = namesOf("c", [`spiffe://${"x".repeat(500)}`]);
  expect(uri).toHaveLength(256);
});

test("no more than 32 names are kept", () => {
  const names = Array.from({ length: 50 }, (_, index) => `host-${index}.example`);
  expect(namesOf("c", names)).toHaveLength(32);
});
