import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestAuthority } from "../../support/lab/certificates.ts";
import { runProgram } from "./run-program.ts";

const ONE = new TestAuthority("one").cert;
const TWO = new TestAuthority("two").cert;
const LEAF = new TestAuthority("one").issue({ commonName: "harbor", names: ["harbor"] }).cert;
const P12 = new URL("../trust/fixtures/aes.p12", import.meta.url);

let dir: string;
let out: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "build-"));
  out = join(dir, "out.pem");
  mkdirSync(join(dir, "in"));
});

afterEach(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

const build = (...args: string[]) => runProgram(["trust", "build", "--out", out, ...args]);
const subjects = () => [...readFileSync(out, "utf8").matchAll(/^# (CN=[^;]*)/gm)].map(([, subject]) => subject);

test("files and folders become one bundle, written only when it changes", async () => {
  file("in/b.crt", TWO);
  file("in/readme.txt", "not read");
  const args = [`--source=${file("one.pem", ONE)}`, `--source=${join(dir, "in")}`];
  expect(await build(...args)).toEqual({ status: 0, out: `${out}: written, 2 certificates\n`, err: "" });
  expect(subjects()).toEqual(["CN=one", "CN=two"]);
  const { ino, mode } = statSync(out);
  expect(mode & 0o777).toBe(0o644);
  expect((await build(...args)).out).toBe(`${out}: unchanged, 2 certificates\n`);
  expect(statSync(out).ino).toBe(ino);
  expect((await build(...args, "--mode=0600")).out).toBe(`${out}: written, 2 certificates\n`);
  expect(statSync(out).mode & 0o777).toBe(0o600);
});

test("a mounted ConfigMap, whose files are links into a hidden folder, is read once", async () => {
  mkdirSync(join(dir, "in/..2026_1"));
  file("in/..2026_1/ca.crt", ONE);
  symlinkSync("..2026_1", join(dir, "in/..data"));
  symlinkSync("..data/ca.crt", join(dir, "in/ca.crt"));
  expect((await build(`--source=${join(dir, "in")}`)).out).toBe(`${out}: written, 1 certificate\n`);
});

test("a password file opens PKCS#12", async () => {
  const source = `--source=${file("in/ca.p12", readFileSync(P12))}`;
  const password = `--password-file=${file("password", "geheim-ä\n")}`;
  expect((await build(source, password)).out).toBe(`${out}: written, 2 certificates\n`);
  const wrong = await build(source, `--password-file=${file("password", "falsch")}`);
  expect(wrong).toMatchObject({ status: 1, err: expect.stringContaining("PKCS#12 does not open with this password") });
});

test("wrong input is named with its file, position and reason, all of it at once, and the old bundle stays", async () => {
  file("out.pem", "old");
  const {
    status,
    out: said,
    err,
  } = await build(
    `--source=${file("a.pem", ONE + LEAF)}`,
    `--source=${file("b.pem", ONE.slice(0, 90))}`,
    `--source=${join(dir, "gone")}`,
    `--source=${join(dir, "in")}`,
  );
  expect({ status, said }).toEqual({ status: 1, said: "" });
  expect(err.split("\n")).toEqual([
    `${dir}/b.pem: line 1: error: no END of this block: the file is cut short`,
    `${dir}/gone: error: no such file or directory`,
    `${dir}/a.pem: line ${ONE.split("\n").length}: error: not a certificate authority: CN=harbor`,
    `buildkit-gateway: ${out} stays as it was, because of the errors above`,
    "",
  ]);
  expect(readFileSync(out, "utf8")).toBe("old");
  expect(readdirSync(dir).filter((name) => name.startsWith("."))).toEqual([]);
});

test("an empty folder is an error: it was named to have certificates", async () => {
  const { status, err } = await build(`--source=${join(dir, "in")}`);
  expect({ status, err: err.split("\n")[0] }).toEqual({ status: 1, err: `${dir}/in: error: no certificate in it` });
});

test("a warning does not stop it, and with --strict it does", async () => {
  const key = new TestAuthority("one").key;
  const source = `--source=${file("a.pem", ONE + key)}`;
  const warned = await build(source);
  expect(warned.status).toBe(0);
  expect(warned.err).toMatch(/^.*a\.pem: line \d+: warning: left out: a private key, which does not belong here/);
  rmSync(out);
  expect((await build(source, "--strict")).status).toBe(1);
  expect(existsSync(out)).toBe(false);
});

test("the roots of Node join those of a source", async () => {
  const { out: said } = await build(`--source=${file("one.pem", ONE)}`, "--node-roots");
  expect(Number(/(\d+) certificates/.exec(said)?.[1])).toBeGreaterThan(100);
});

test("a target that cannot be written is named, and nothing is left behind", async () => {
  const { status, err } = await runProgram([
    "trust",
    "build",
    `--source=${file("one.pem", ONE)}`,
    `--out=${dir}/none/out.pem`,
  ]);
  expect({ status, err }).toEqual({
    status: 1,
    err: `${dir}/none/out.pem: not written: no such file or directory\n`.replace(/^/, "buildkit-gateway: "),
  });
});

test.runIf(process.getuid?.() === 0)("the bundle gets its owner, also when nothing else changes", async () => {
  const source = `--source=${file("one.pem", ONE)}`;
  await build(source);
  expect((await build(source, "--owner=1000:1001")).out).toBe(`${out}: written, 1 certificate\n`);
  expect(statSync(out)).toMatchObject({ uid: 1000, gid: 1001 });
  expect((await build(source, "--owner=1000:1001")).out).toBe(`${out}: unchanged, 1 certificate\n`);
});

test("a link in the place of the bundle stays one", async () => {
  symlinkSync(file("real.pem", "old"), out);
  await build(`--source=${file("one.pem", ONE)}`);
  expect(readFileSync(join(dir, "real.pem"), "utf8")).toContain(ONE);
  renameSync(out, join(dir, "moved"));
  expect(readFileSync(join(dir, "moved"), "utf8")).toContain(ONE);
});

test.each([
  [[], "2 things are wrong with the command line"],
  [["--out", "x"], "--source: is needed, or --system, or --node-roots"],
  [["--out", "x", "--system", "--mode", "rw"], '--mode: not permissions: "rw" (write 0644)'],
  [["--out", "x", "--system", "--owner", "root"], '--owner: not an owner: "root" (write 1000:1000)'],
  [["--out", "x", "--system", "--name", "ü"], "--name: must be 1 to 100 printable ASCII characters"],
])("a wrong command line is refused: %j", async (args, message) => {
  const { status, err } = await runProgram(["trust", "build", ...args]);
  expect(status).toBe(2);
  expect(err).toContain(message);
});

test.each([
  [["trust"], "trust what? (build, inject, verify)"],
  [["trust", "biuld"], 'unknown: trust "biuld" (did you mean build?)'],
])("%j says what there is", async (argv, message) => {
  expect(await runProgram(argv)).toMatchObject({ status: 2, err: `buildkit-gateway: ${message}\n` });
});
