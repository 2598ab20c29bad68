import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { FollowedTls } from "../../../src/base/followed-tls.ts";
import { silentLog } from "../../../src/base/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type IssuedCertificate, TestAuthority } from "../../support/lab/certificates.ts";

/** Two looks: a change is in force when it has been the same at both. */
const TWO_LOOKS_MS = 2_000;

const authority = new TestAuthority();
const [one, other] = [authority.issue({ commonName: "one" }), authority.issue({ commonName: "other" })];

let clock: FakeClock;
let folder: string;
let logged: { readonly level: string; readonly message: string }[];

beforeEach(() => {
  clock = new FakeClock();
  folder = mkdtempSync(join(tmpdir(), "bkg-followed-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  logged = [];
});

function write({ cert, key }: IssuedCertificate, into = folder): void {
  writeFileSync(join(into, "tls.crt"), cert);
  writeFileSync(join(into, "tls.key"), key);
}

function follow(from = folder): FollowedTls {
  const log = silentLog();
  log.info = ((_fields: unknown, message: string) => void logged.push({ level: "info", message })) as typeof log.info;
  log.error = ((_fields: unknown, message: string) =>
    void logged.push({ level: "error", message })) as typeof log.error;
  const files = { cert: join(from, "tls.crt"), key: join(from, "tls.key") };
  const followed = new FollowedTls({ section: "tls", files, clock, log });
  onTestFinished(followed.start());
  return followed;
}

test("a pair that is replaced is in force once it is whole", () => {
  write(one);
  const followed = follow();
  let changes = 0;
  followed.onChange(() => changes++);
  writeFileSync(join(folder, "tls.crt"), other.cert);
  clock.advance(1_000);
  writeFileSync(join(folder, "tls.key"), other.key);
  clock.advance(1_000);
  expect([followed.cert?.toString(), changes]).toEqual([one.cert, 0]);
  clock.advance(1_000);
  expect([followed.cert?.toString(), followed.key?.toString(), changes]).toEqual([other.cert, other.key, 1]);
  expect(logged).toEqual([{ level: "info", message: "certificates replaced" }]);
});

test("a folder that is swapped as Kubernetes does it is followed", () => {
  for (const [name, pair] of [
    ["first", one],
    ["second", other],
  ] as const) {
    mkdirSync(join(folder, name));
    write(pair, join(folder, name));
  }
  symlinkSync("first", join(folder, "..data"));
  for (const file of ["tls.crt", "tls.key"]) symlinkSync(join("..data", file), join(folder, file));
  const followed = follow();
  expect(followed.cert?.toString()).toBe(one.cert);
  symlinkSync("second", join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  clock.advance(TWO_LOOKS_MS);
  expect(followed.cert?.toString()).toBe(other.cert);
});

test("what cannot be used is reported once, and the old pair stays until there is a better one", () => {
  write(one);
  const followed = follow();
  const broken = [
    () => writeFileSync(join(folder, "tls.crt"), "no certificate"),
    () => writeFileSync(join(folder, "tls.crt"), other.cert),
    () => rmSync(join(folder, "tls.key")),
  ];
  for (const spoil of broken) {
    spoil();
    clock.advance(10 * TWO_LOOKS_MS);
    expect([followed.cert?.toString(), followed.key?.toString()]).toEqual([one.cert, one.key]);
  }
  const message = "new certificates cannot be used, keeping those in force";
  expect(logged).toEqual(Array(broken.length).fill({ level: "error", message }));
  write(other);
  clock.advance(TWO_LOOKS_MS);
  expect(followed.cert?.toString()).toBe(other.cert);
});

test("it is known when certificates end; of several in one file, the first", () => {
  const soon = new Date("2031-01-02T03:04:05Z");
  const late = new Date("2041-01-02T03:04:05Z");
  const leaf = authority.issue({ commonName: "leaf", notAfter: late });
  const issuer = authority.issue({ commonName: "issuer", notAfter: soon });
  write({ cert: `${leaf.cert}${issuer.cert}`, key: leaf.key });
  expect(follow().expiries).toEqual([{ setting: "tls.cert", expiresAt: soon }]);
});

test("nothing is looked at any more once it is stopped", () => {
  write(one);
  const followed = new FollowedTls({
    section: "tls",
    files: { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") },
    clock,
    log: silentLog(),
  });
  const stop = followed.start();
  stop();
  expect(clock.delaysMs).toEqual([]);
});

test("an authority that is broken or cut short behind a good one changes nothing, and is told", () => {
  const path = join(folder, "ca.pem");
  writeFileSync(path, authority.cert);
  const faults: unknown[] = [];
  const log = silentLog();
  log.error = ((fields: unknown) => void faults.push(fields)) as typeof log.error;
  const followed = new FollowedTls({ section: "tls", files: { clientCa: path }, clock, log });
  onTestFinished(followed.start());
  const second = new TestAuthority("second").cert;
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const [index, text] of [broken, second.slice(0, 200), second.replace(/\n-----END/, "\n=====END")].entries()) {
    writeFileSync(path, authority.cert + text);
    clock.advance(TWO_LOOKS_MS);
    expect(faults).toHaveLength(index + 1);
    expect(faults[index]).toMatchObject({ err: { message: `tls.clientCa: ${path}` } });
    expect(followed.ca?.toString()).toBe(authority.cert);
  }
  writeFileSync(path, authority.cert + second);
  clock.advance(TWO_LOOKS_MS);
  expect(followed.ca?.toString()).toBe(authority.cert + second);
});
