import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { compileBundle } from "../../../src/trust/bundle.ts";
import { findCertificates } from "../../../src/trust/certificate-file.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const SHOWN_SEED = `(FUZZ_SEED=${SEED})`;
const OPTIONS = { maxCertificates: 10_000, password: "geheim" };

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const EC = new TestAuthority("ec").cert;
const RSA = new TestAuthority("rsa", { key: "rsa" }).cert;
const SEEDS: readonly Buffer[] = [
  Buffer.from(EC + RSA),
  new X509Certificate(EC).raw,
  ...["both.p7b", "both.pem.p7b", "aes.p12", "rc2.p12", "open.p12"].map(fixture),
];

/** Read and check whatever it is: a throw is a defect. */
async function digest(bytes: Buffer) {
  const outcome = await findCertificates("fuzz", bytes, OPTIONS);
  if (outcome.t === "malformed") {
    expect(outcome.fault.reason).not.toBe("");
    return outcome;
  }
  const bundle = compileBundle([{ certificates: outcome.certificates, isSystem: false }], {
    name: "x",
    now: new Date(),
  });
  expect(bundle.authorities.length + bundle.duplicates + bundle.errors.length).toBeLessThanOrEqual(
    outcome.certificates.length,
  );
  return outcome;
}

async function neverThrows(bytes: Buffer): Promise<void> {
  await digest(bytes);
}

/** One of the files above with a few bytes changed, removed, doubled or cut off. */
const mangled = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(
      fc.tuple(
        fc.constantFrom("set", "cut", "drop", "double"),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(255),
      ),
      { minLength: 1, maxLength: 6 },
    ),
  )
  .map(([seed, changes]) => {
    let bytes = Buffer.from(seed);
    for (const [kind, place, value] of changes) {
      const at = Math.floor(place * Math.max(0, bytes.length - 1));
      if (kind === "set" && bytes.length > 0) bytes[at] = value;
      if (kind === "cut") bytes = bytes.subarray(0, at);
      if (kind === "drop") bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + value)]);
      if (kind === "double") bytes = Buffer.concat([bytes.subarray(0, at + value), bytes.subarray(at)]);
    }
    return bytes;
  });

test(`mangled files give certificates or a fault, and never throw ${SHOWN_SEED}`, async () => {
  await fc.assert(fc.asyncProperty(mangled, neverThrows), { seed: SEED, numRuns: 1_500 });
});

test(`random bytes give a fault, and never throw ${SHOWN_SEED}`, async () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  const asn1 = bytes.map((content) => Buffer.concat([Buffer.from([0x30, 0x82]), content]));
  await fc.assert(fc.asyncProperty(fc.oneof(bytes, asn1), neverThrows), { seed: SEED, numRuns: 2_000 });
});

test("ASN.1 nested a hundred thousand deep is a fault, with definite lengths and with open ones", async () => {
  const depth = 100_000;
  const open = Buffer.concat([Buffer.alloc(depth * 2, Buffer.from([0x30, 0x80])), Buffer.alloc(depth * 2)]);
  expect(await digest(open)).toMatchObject({ t: "malformed", fault: { reason: "nested more than 32 deep" } });
  const definite = Buffer.alloc(depth * 6);
  for (let level = 0; level < depth; level += 1) {
    definite.set([0x30, 0x84], level * 6);
    definite.writeUInt32BE((depth - level - 1) * 6, level * 6 + 2);
  }
  const outcome = await findCertificates("fuzz", definite, OPTIONS);
  if (outcome.t !== "found") throw new Error("one element of DER is taken for a certificate");
  const bundle = compileBundle([{ certificates: outcome.certificates, isSystem: false }], {
    name: "x",
    now: new Date(),
  });
  expect(bundle.errors).toHaveLength(1);
});

test("constructed octet strings of PKCS#12, nested deep, are a fault", async () => {
  const wrap = (tag: number, content: Buffer) => {
    const head = Buffer.from([tag, 0x84, 0, 0, 0, 0]);
    head.writeUInt32BE(content.length, 2);
    return Buffer.concat([head, content]);
  };
  let octets: Buffer = Buffer.from([0x04, 0]);
  for (let level = 0; level < 1_000; level += 1) octets = wrap(0x24, octets);
  const data = Buffer.from("06092a864886f70d010701", "hex");
  const file = wrap(
    0x30,
    Buffer.concat([Buffer.from([0x02, 1, 3]), wrap(0x30, Buffer.concat([data, wrap(0xa0, octets)]))]),
  );
  expect(await digest(file)).toMatchObject({ t: "malformed", fault: { reason: "nested more than 32 deep" } });
});

test("a hundred thousand certificates are a fault, in PEM, in DER and in PKCS#7", async () => {
  const der = new X509Certificate(EC).raw;
  const many = Buffer.concat(Array.from({ length: 100_000 }, () => der));
  const reason = "more than 10000 certificates";
  expect(await digest(many)).toMatchObject({ t: "malformed", fault: { reason } });
  const pem = Buffer.from(EC.repeat(100_000));
  expect(await digest(pem)).toMatchObject({ t: "malformed", fault: { position: expect.stringMatching(/^line \d+$/) } });
  const head = (tag: number, content: Buffer) => {
    const bytes = Buffer.from([tag, 0x84, 0, 0, 0, 0]);
    bytes.writeUInt32BE(content.length, 2);
    return Buffer.concat([bytes, content]);
  };
  const signedData = Buffer.from("06092a864886f70d010702", "hex");
  const p7b = head(0x30, Buffer.concat([signedData, head(0xa0, head(0x30, head(0xa0, many)))]));
  expect(await digest(p7b)).toMatchObject({ t: "malformed", fault: { reason: expect.stringContaining("more than") } });
});

test("ten thousand certificates are compiled with little memory", async () => {
  const dir = mkdtempSync(join(tmpdir(), "fuzz-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  // All the same, so that making them takes no time; each is read and checked all the same.
  writeFileSync(join(dir, "many.pem"), EC.repeat(10_000));
  const main = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
  const args = ["trust", "build", "--source", join(dir, "many.pem"), "--out", join(dir, "out.pem")];
  const child = spawn(process.execPath, ["--max-old-space-size=96", "--import", "tsx", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  expect(out).toContain("written, 1 certificate, 9999 duplicates dropped");
}, 60_000);

/** Tells the most memory that a process has had, when it ends. */
const TELL_MEMORY = `data:text/javascript,process.on("exit",()=>console.log("KiB",process.resourceUsage().maxRSS))`;

/** Run `trust` with these arguments: what it says, and the most memory it has had. */
async function runTrust(...args: string[]): Promise<{ status: unknown; said: string; memoryMiB: number }> {
  const main = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", "--import", TELL_MEMORY, main, "trust", ...args]);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const [status] = await once(child, "close");
  return { status, said, memoryMiB: Number(/KiB (\d+)/.exec(said)![1]) / 1_024 };
}

test("a hundred thousand certificates take no more memory than their largest file and what Node itself needs", async () => {
  const dir = mkdtempSync(join(tmpdir(), "fuzz-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const nothing = await runTrust("build", "--source", join(dir, "none"), "--out", join(dir, "out.pem"));
  expect(nothing.status).toBe(1);
  mkdirSync(join(dir, "in"));
  for (let part = 0; part < 10; part++) writeFileSync(join(dir, `in/${part}.pem`), EC.repeat(10_000));
  writeFileSync(join(dir, "huge.pem"), EC.repeat(100_000));
  for (const source of ["in", "huge.pem"]) {
    const outcome = await runTrust("build", "--source", join(dir, source), "--out", join(dir, "out.pem"));
    expect(outcome).toMatchObject({ status: 1, said: expect.stringContaining("more than") });
    // Ten files of 6 MiB, each read as bytes, as text and as certificates; all together would be three times that.
    expect(outcome.memoryMiB - nothing.memoryMiB).toBeLessThan(96);
  }
  expect(existsSync(join(dir, "out.pem"))).toBe(false);
}, 120_000);
