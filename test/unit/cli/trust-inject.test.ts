import { EventEmitter, once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
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
import { runCommandLine } from "../../../src/cli/run.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";
import { runProgram } from "./run-program.ts";

const CA = new TestAuthority("sonda-red").cert;

let dir: string;
let bundle: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "inject-"));
  bundle = file("ca.pem", CA);
});

afterEach(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

const text = (name: string) => readFileSync(join(dir, name), "utf8");
const inject = (args: string[], env = {}) => runProgram(["trust", "inject", `--bundle=${bundle}`, ...args], env);

test("buildkitd gets the bundle in its place and an entry for each registry, and the rest of its file stays", async () => {
  const toml = file("in.toml", 'debug = true # yes\n[registry."a:5000"]\n  http = false\n');
  const args = ["--for=buildkitd", `--toml=${toml}`, `--out=${dir}/out.toml`, "--registry=a:5000", "--registry=b"];
  const placed = [`--place=${dir}/placed.pem`, `--map=${dir}=/trust`];
  const first = await inject([...args, ...placed]);
  expect(first).toEqual({ status: 0, out: `${dir}/placed.pem: written\n${dir}/out.toml: written\n`, err: "" });
  expect(text("placed.pem")).toBe(CA);
  expect(text("out.toml")).toBe(
    'debug = true # yes\n[registry."a:5000"]\n  ca = ["/trust/placed.pem"]\n  http = false\n\n' +
      '[registry.b]\n  ca = ["/trust/placed.pem"]\n',
  );
  expect((await inject([...args, ...placed])).out).toBe(`${dir}/placed.pem: unchanged\n${dir}/out.toml: unchanged\n`);
});

test("a file that is no TOML is named with its line, and nothing is written", async () => {
  const toml = file("in.toml", "debug = true\nx = [1\n");
  const { status, err } = await inject(["--for=buildkitd", `--toml=${toml}`, `--out=${dir}/out.toml`, "--registry=b"]);
  expect({ status, err }).toEqual({ status: 1, err: `buildkit-gateway: ${toml}: line 3: no , or ] after a value\n` });
  expect(existsSync(join(dir, "out.toml"))).toBe(false);
});

test("dockerd gets a folder for each registry", async () => {
  const { status } = await inject(["--for=dockerd", `--certs-dir=${dir}/certs.d`, "--registry=a:5000"]);
  expect(status).toBe(0);
  expect(text("certs.d/a:5000/buildkit-gateway.crt")).toBe(CA);
});

test("a runner's variables are appended once to the file that GITHUB_ENV names", async () => {
  const envFile = file("github.env", "A=1");
  const env = { GITHUB_ENV: envFile };
  const args = ["--for=runner", "--env=SSL_CERT_FILE", "--env=NODE_EXTRA_CA_CERTS"];
  expect((await inject(args, env)).out).toBe(`${envFile}: appended\n`);
  expect(text("github.env")).toBe(`A=1\nSSL_CERT_FILE=${bundle}\nNODE_EXTRA_CA_CERTS=${bundle}\n`);
  expect((await inject(args, env)).out).toBe(`${envFile}: unchanged\n`);
  // Whoever set it to something else meanwhile is overruled: the last word counts.
  writeFileSync(envFile, `${text("github.env")}SSL_CERT_FILE=/other\n`);
  await inject(args, env);
  expect(text("github.env").endsWith(`SSL_CERT_FILE=/other\nSSL_CERT_FILE=${bundle}\n`)).toBe(true);
});

test("build steps get a wrapper of runc, and the daemon's file names it", async () => {
  const args = ["--for=run-steps", `--wrapper=${dir}/runc-wrapper`, `--map=${dir}=/trust`, `--out=${dir}/out.toml`];
  expect((await inject(args)).status).toBe(0);
  expect(statSync(join(dir, "runc-wrapper")).mode & 0o777).toBe(0o755);
  expect(text("runc-wrapper")).toContain("bundle='/trust/ca.pem'");
  expect(text("out.toml")).toBe('[worker.oci]\n  binary = "/trust/runc-wrapper"\n');
});

test.each([
  ["no certificate", "hello", "offset 0: neither PEM nor DER"],
  ["nothing", "", "offset 0: the file is empty"],
  [
    "a private key in it",
    new TestAuthority("x").key + CA,
    "line 1: not a certificate: buildkit-gateway trust build makes a bundle without it",
  ],
  ["one cut short", CA.slice(0, 90), "line 1: no END of this block: the file is cut short"],
])("a bundle with %s is refused, and nothing is written", async (_what, content, fault) => {
  file("ca.pem", content);
  const { status, err } = await inject(["--for=runner", `--place=${dir}/placed.pem`, `--env-file=${dir}/env`]);
  expect({ status, err }).toEqual({ status: 1, err: `buildkit-gateway: ${bundle}: ${fault}\n` });
  expect(existsSync(join(dir, "placed.pem"))).toBe(false);
});

test.each([
  [["--for=git"], '--for: not a target: "git" (buildkitd, dockerd, runner, run-steps)'],
  [["--for=buildkitd", "--registry=a"], "--out: is needed for buildkitd"],
  [["--for=dockerd"], "--registry: is needed for buildkitd and dockerd"],
  [["--for=dockerd", "--registry=../x"], '--registry: not a registry: "../x" (write host or host:port)'],
  [["--for=runner"], "--env-file: is needed where there is no $GITHUB_ENV"],
  [["--for=runner", "--env-file=x", "--env=A B"], '--env: not a variable\'s name: "A B"'],
  [["--for=run-steps"], "--wrapper: is needed for run-steps"],
  [["--for=run-steps", "--wrapper=w", "--runc=my runc"], 'not an absolute path of plain letters: "my runc"'],
  [["--for=runner", "--env-file=x", "--map=/a"], "--map: not two paths with = between them"],
])("a wrong command line is refused: %j", async (args, message) => {
  const { status, err } = await inject(args);
  expect(status).toBe(2);
  expect(err).toContain(message);
});

test("with --watch a change of a mounted ConfigMap is followed, a broken one keeps the old, and SIGTERM ends it", async () => {
  mkdirSync(join(dir, "v1"));
  mkdirSync(join(dir, "v2"));
  mkdirSync(join(dir, "v3"));
  file("v1/ca.crt", CA);
  file("v2/ca.crt", "broken");
  const other = new TestAuthority("other").cert;
  file("v3/ca.crt", other);
  const swap = (version: string) => {
    symlinkSync(version, join(dir, "..new"));
    renameSync(join(dir, "..new"), join(dir, "..data"));
  };
  swap("v1");
  symlinkSync("..data/ca.crt", join(dir, "mounted.crt"));
  const signals = new EventEmitter();
  const said = new EventEmitter();
  const argv = [
    "trust",
    "inject",
    "--for=dockerd",
    `--bundle=${dir}/mounted.crt`,
    `--certs-dir=${dir}/c`,
    "--registry=a",
    "--watch",
  ];
  const tell = (line: string) => said.emit("line", line);
  let next = once(said, "line");
  const ended = runCommandLine(argv, { env: {}, signals, print: tell, complain: tell });
  expect(await next).toEqual([`${dir}/c/a/buildkit-gateway.crt: written\n`]);
  next = once(said, "line");
  swap("v2");
  expect(await next).toEqual([`buildkit-gateway: ${dir}/mounted.crt: offset 0: neither PEM nor DER\n`]);
  expect(text("c/a/buildkit-gateway.crt")).toBe(CA);
  next = once(said, "line");
  swap("v3");
  expect(await next).toEqual([`${dir}/c/a/buildkit-gateway.crt: written\n`]);
  expect(text("c/a/buildkit-gateway.crt")).toBe(other);
  signals.emit("SIGTERM", "SIGTERM");
  expect(await ended).toBe(0);
  expect(signals.eventNames()).toEqual([]);
}, 30_000);
