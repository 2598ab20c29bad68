import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { certificateNames } from "../../../src/identity/certificate-names.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const authority = new TestAuthority();

function namesOf(commonName: string, names: readonly string[] = []): readonly string[] {
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

/** `CN=a`; its alternative names are an x400Address and `DNS:a.b.c`. Only its names are looked at. */
const X400 = `-----BEGIN CERTIFICATE-----
MIIBhDCCASmgAwIBAgIUcmiiUzfV0Y/dxpPOiQOzzJAM7fMwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYTAeFw0yNjExMjYwMTEzNTdaFw0yNjExMjkwMTEzNTdaMAwx
CjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT1eeWA3Iw0QdU+
uFlHmtz9BSsVf+brWaijqJXVsDmybrBdpLsjgtfIgz39tcqDQvV88gDyYPxdbJHH
BecXEUUIo2kwZzAdBgNVHQ4EFgQUSmZeDZaGpfnA4/c7qgPHWVJYfC0wHwYDVR0j
BBgwFoAUSmZeDZaGpfnA4/c7qgPHWVJYfC0wDwYDVR0TAQH/BAUwAwEB/zAUBgNV
HREEDTALowIwAIIFYS5iLmMwCgYIKoZIzj0EAwIDSQAwRgIhALbw03Qa/BGz1df2
HJh3yzhLCB+lnUH2LfizH0mApsRnAiEA5XJaBqo5GqRKrVFR1oCowioAnBEOGzDK
GZ6U/daoyaU=
-----END CERTIFICATE-----`;

test("a kind of name that is not known hides none behind it", () => {
  expect(certificateNames(new X509Certificate(X400))).toEqual(["dns:a.b.c", "cn:a"]);
});

test("names that were read are known again, and each certificate has its own, however many there are", () => {
  const certificates = Array.from(
    { length: 300 },
    (_, index) => new X509Certificate(authority.issue({ commonName: `runner-${index}` }).cert),
  );
  for (const certificate of certificates) certificateNames(certificate);
  const last = certificates.at(-1)!;
  expect(certificateNames(last)).toBe(certificateNames(new X509Certificate(last.raw)));
  expect(certificates.map((certificate) => certificateNames(certificate)[0])).toEqual(
    certificates.map((_, index) => `cn:runner-${index}`),
  );
});

test("no more than 32 names are kept", () => {
  const names = Array.from({ length: 50 }, (_, index) => `host-${index}.example`);
  expect(namesOf("c", names)).toHaveLength(32);
});
