import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findCertificates } from "../../../src/trust/certificate-file.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

// Made once with openssl: "CN=sonda-red EC" (P-256) and "CN=sonda-red RSA" (2048), valid for 100 years.
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const BOTH = ["O=Sonda\nCN=sonda-red EC", "O=Sonda\nCN=sonda-red RSA"];
const ONE = new TestAuthority("one").cert;
const TWO = new TestAuthority("two").cert;
const der = (pem: string) => new X509Certificate(pem).raw;

async function find(bytes: Buffer | string, password?: string, maxCertificates = 100) {
  const options = { maxCertificates, ...(password !== undefined && { password }) };
  const outcome = await findCertificates("ca.pem", Buffer.from(bytes), options);
  if (outcome.t === "malformed") return `${outcome.fault.position}: ${outcome.fault.reason}`;
  return outcome.certificates.map(({ der, position }) => ({ subject: new X509Certificate(der).subject, position }));
}

test("a PEM bundle gives each certificate with the line of its BEGIN, whatever stands between them", async () => {
  expect(await find(`# one\r\n${ONE.replaceAll("\n", "\r\n")}\r\n subject=two ü\n${TWO}`)).toEqual([
    { subject: "CN=one", position: "line 2" },
    { subject: "CN=two", position: `line ${3 + ONE.split("\n").length}` },
  ]);
});

test("DER gives one certificate, or several one after another", async () => {
  const bytes = Buffer.concat([der(ONE), der(TWO)]);
  expect(await find(bytes)).toEqual([
    { subject: "CN=one", position: "offset 0" },
    { subject: "CN=two", position: `offset ${der(ONE).length}` },
  ]);
});

test.each([
  ["both.p7b", "certificate 1"],
  ["both.pem.p7b", "certificate 1 of line 1"],
])("PKCS#7 %s gives elliptic-curve and RSA certificates", async (name, position) => {
  const found = await find(fixture(name));
  expect(found).toHaveLength(2);
  expect(found[0]).toEqual({ subject: BOTH[0], position });
  expect(found[1]).toMatchObject({ subject: BOTH[1] });
});

test("PKCS#7 whose lengths are left open (BER) gives the same certificates", async () => {
  const bytes = fixture("both.p7b");
  // The outermost SEQUENCE: 30 82 xx xx … becomes 30 80 … 00 00.
  const open = Buffer.concat([Buffer.from([0x30, 0x80]), bytes.subarray(4), Buffer.from([0, 0])]);
  expect(await find(open)).toEqual(await find(bytes));
});

test.each([
  ["aes.p12", "geheim-ä"],
  ["rc2.p12", "geheim"],
  ["open.p12", ""],
])("PKCS#12 %s opens with its password, and gives elliptic-curve and RSA certificates", async (name, password) => {
  const found = await find(fixture(name), password);
  expect((found as { subject: string }[]).map(({ subject }) => subject)).toEqual(BOTH);
});

test("PKCS#12 with a wrong password, or without one, says so", async () => {
  expect(await find(fixture("aes.p12"), "falsch")).toBe("offset 0: PKCS#12 does not open with this password");
  expect(await find(fixture("rc2.p12"), "")).toBe("offset 0: PKCS#12 does not open with this password");
  expect(await find(fixture("aes.p12"))).toBe("offset 0: PKCS#12, and no password file is given");
});

test("PKCS#12 that asks for millions of rounds of key derivation is refused at once", async () => {
  const bytes = fixture("aes.p12");
  // The MAC's 2,048 rounds stand last. The bytes before them are its salt: the last two make room for a longer integer.
  const rounds = Buffer.from([0x02, 0x02, 0x08, 0x00]);
  const at = bytes.length - rounds.length;
  expect(bytes.subarray(at)).toEqual(rounds);
  const saltHead = bytes.lastIndexOf(Buffer.from([0x04, 0x08]), at);
  const patched = Buffer.concat([bytes.subarray(0, at - 2), Buffer.from([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff])]);
  patched[saltHead + 1] = 0x06;
  expect(await find(patched, "geheim-ä")).toMatch(/^offset \d+: more than 1000000 rounds of key derivation$/);
});

// Found by the fuzz test (seed 369693979): node-forge throws an error of its own for it.
test("PKCS#12 that asks for no round of key derivation is refused", async () => {
  const patched = Buffer.from(fixture("aes.p12"));
  patched.writeUInt16BE(0, patched.length - 2);
  expect(await find(patched, "geheim-ä")).toMatch(/^offset \d+: 0 rounds of key derivation$/);
});

test("a private key among certificates is left out with a remark", async () => {
  const authority = new TestAuthority("one");
  const outcome = await findCertificates("ca.pem", Buffer.from(authority.key + authority.cert), { maxCertificates: 9 });
  expect(outcome).toMatchObject({
    t: "found",
    certificates: [{ position: `line ${authority.key.split("\n").length}` }],
    remarks: [{ position: "line 1", reason: 'left out: a private key, which does not belong here ("PRIVATE KEY")' }],
  });
});

test.each<[string, string | Buffer, string]>([
  ["an empty file", "", "offset 0: the file is empty"],
  ["text", "hello", "offset 0: neither PEM nor DER"],
  ["a PEM block cut short", ONE.slice(0, 200), "line 1: no END of this block: the file is cut short"],
  [
    "a PEM block inside another",
    `${ONE.slice(0, 28)}${TWO}`,
    "line 1: no END of this block before the next BEGIN (line 2)",
  ],
  ["an END alone", "-----BEGIN\n-----END CERTIFICATE-----\n-----BEGIN X-----\n", "line 2: an END without its BEGIN"],
  ["letters that are no base64", ONE.replace("MII", "M!I"), "line 2: not base64"],
  ["DER cut short", der(ONE).subarray(0, 100), `offset 0: cut short: ${der(ONE).length - 4} bytes announced, 96 there`],
  ["DER with a rest", Buffer.concat([der(ONE), Buffer.from("x")]), `offset ${der(ONE).length}: neither PEM nor DER`],
])("%s is malformed, with its position and the reason", async (_what, bytes, fault) => {
  expect(await find(bytes)).toBe(fault);
});

test("more certificates than are allowed are refused where the first of them too many begins", async () => {
  expect(await find(ONE.repeat(5), undefined, 3)).toBe(
    `line ${3 * (ONE.split("\n").length - 1) + 1}: more than 3 certificates`,
  );
  expect(await find(fixture("both.p7b"), undefined, 1)).toBe("certificate 2: more than 1 certificates");
});
