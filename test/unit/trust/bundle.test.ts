import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { compileBundle } from "../../../src/trust/bundle.ts";
import type { FoundCertificate } from "../../../src/trust/certificate-file.ts";
import { type AuthorityOptions, TestAuthority } from "../../support/lab/certificates.ts";

const NOW = new Date();
const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(NOW.getTime() + days * DAY_MS);

function found(pem: string, index = 0): FoundCertificate {
  return { der: new X509Certificate(pem).raw, file: "ca.pem", position: `certificate ${index + 1}` };
}

function compile(pems: readonly string[], isSystem = false) {
  return compileBundle([{ certificates: pems.map(found), isSystem }], { name: "sonda-red", now: NOW });
}

const reasons = (remarks: readonly { readonly reason: string }[]) => remarks.map(({ reason }) => reason);

test("a bundle has each certificate once, under a comment with its subject, expiry and SHA-256", () => {
  const one = new TestAuthority("one");
  const two = new TestAuthority("two", { key: "rsa" });
  const bundle = compile([one.cert, two.cert, one.cert]);
  expect(bundle).toMatchObject({ duplicates: 1, errors: [], warnings: [] });
  const x509 = new X509Certificate(one.cert);
  const lines = bundle.text.split("\n");
  expect(lines[0]).toBe("# sonda-red: certificate authorities, written by buildkit-gateway trust build");
  expect(lines[2]).toBe(
    `# CN=one; expires ${inDays(1).toISOString().slice(0, 10)}; SHA-256 ${x509.fingerprint256.replaceAll(":", "").toLowerCase()}`,
  );
  expect(bundle.text).toContain(`\n${one.cert}\n# CN=two`);
  expect(bundle.text.endsWith(two.cert)).toBe(true);
});

test.each<[string, AuthorityOptions]>([
  ["P-256", { key: "ec" }],
  ["RSA 2048", { key: "rsa" }],
  ["Ed25519", { key: "ed25519" }],
  ["RSA with its own SHA-1 signature, which nobody checks", { key: "rsa", hash: "sha1" }],
  ["RSA with its own MD5 signature", { key: "rsa", hash: "md5" }],
])("a root is taken without a word: %s", (_what, options) => {
  const bundle = compile([new TestAuthority("root", options).cert]);
  expect(bundle).toMatchObject({ errors: [], warnings: [], authorities: [{ subject: "CN=root", isSelfSigned: true }] });
});

test.each<[string, AuthorityOptions, string]>([
  ["one not yet valid", { notBefore: inDays(1), notAfter: inDays(2) }, "not valid before"],
  ["one of version 1", { version: 1 }, "version 1, which cannot say whether it is an authority: CN=root"],
  ["one on a curve that Go cannot read", { key: "secp256k1" }, "curve secp256k1, which BuildKit"],
])("a root is taken with a warning: %s", (_what, options, warning) => {
  const bundle = compile([new TestAuthority("root", options).cert]);
  expect(bundle.authorities).toHaveLength(1);
  expect(bundle.errors).toEqual([]);
  expect(reasons(bundle.warnings)).toEqual([expect.stringContaining(warning)]);
});

test("an expired authority is left out with a warning, so that its successor in the same file still counts", () => {
  const old = new TestAuthority("old", { notBefore: inDays(-2), notAfter: inDays(-1) });
  const bundle = compile([old.cert, new TestAuthority("new").cert]);
  expect(bundle).toMatchObject({ errors: [], authorities: [{ subject: "CN=new" }] });
  expect(reasons(bundle.warnings)).toEqual([`left out: expired on ${inDays(-1).toISOString().slice(0, 10)}: CN=old`]);
});

const ROOT = new TestAuthority("root", { key: "rsa" });

test.each<[string, string, string]>([
  [
    "a server's certificate",
    ROOT.issue({ commonName: "harbor", names: ["harbor"] }).cert,
    "not a certificate authority: CN=harbor",
  ],
  [
    "RSA 1024",
    new TestAuthority("short", { key: "rsa-1024" }).cert,
    "an RSA key of 1024 bits, less than 2048: CN=short",
  ],
  [
    "a version 1 certificate that somebody else signed",
    new TestAuthority("middle", { version: 1, issuer: ROOT }).cert,
    "not a certificate authority: CN=middle",
  ],
  [
    "an intermediate signed with SHA-1",
    new TestAuthority("middle", { issuer: new TestAuthority("weak", { key: "rsa", hash: "sha1" }) }).cert,
    "signed with sha1WithRSAEncryption: CN=middle",
  ],
  [
    "an intermediate signed with MD5",
    new TestAuthority("middle", { issuer: new TestAuthority("weak", { key: "rsa", hash: "md5" }) }).cert,
    "signed with md5WithRSAEncryption: CN=middle",
  ],
  [
    "an intermediate signed with ECDSA and SHA-1",
    new TestAuthority("middle", { issuer: new TestAuthority("weak", { hash: "sha1" }) }).cert,
    "signed with ecdsa-with-SHA1: CN=middle",
  ],
])("%s is an error, and in the system's roots a note", (_what, pem, reason) => {
  expect(compile([pem])).toMatchObject({ authorities: [], warnings: [], errors: [{ file: "ca.pem", reason }] });
  expect(compile([pem], true)).toMatchObject({
    authorities: [],
    errors: [],
    warnings: [],
    notes: [{ reason: `left out: ${reason}` }],
  });
});

test("bytes that are no certificate are an error", () => {
  const bytes = { der: Buffer.from("3003020101", "hex"), file: "ca.der", position: "offset 0" };
  const bundle = compileBundle([{ certificates: [bytes], isSystem: false }], { name: "x", now: NOW });
  expect(reasons(bundle.errors)).toEqual(["not a certificate that OpenSSL reads"]);
});

test("an intermediate without its root is a warning: OpenSSL wants the root", () => {
  const middle = new TestAuthority("middle", { issuer: ROOT });
  expect(reasons(compile([middle.cert]).warnings)).toEqual([
    "its issuer is not in the bundle, so only Go programs trust it: CN=middle",
  ]);
  expect(compile([middle.cert, ROOT.cert]).warnings).toEqual([]);
});

test("a subject cannot break out of its comment line", () => {
  const bundle = compile([new TestAuthority("a\n-----BEGIN CERTIFICATE-----\nü").cert]);
  expect(bundle.text.match(/^-----BEGIN/gm)).toHaveLength(1);
  expect(bundle.text).toMatch(/^[\n -~]*$/);
});
