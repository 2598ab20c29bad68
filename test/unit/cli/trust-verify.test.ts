import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { type AuthorityOptions, type IssuedCertificate, TestAuthority } from "../../support/lab/certificates.ts";
import { runProgram } from "./run-program.ts";

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const PAST = { notBefore: inDays(-2), notAfter: inDays(-1) };
const NAMES = { commonName: "harbor", names: ["localhost", "127.0.0.1"] };

/** A folder for one test. */
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "verify-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Listen on a free port until the test ends; `localhost:port`. */
async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return `localhost:${(server.address() as AddressInfo).port}`;
}

/** A registry that sends this chain. */
function serve({ cert, key }: IssuedCertificate, ...intermediates: string[]): Promise<string> {
  const server = createTlsServer({ cert: [cert, ...intermediates].join(""), key }, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  return listen(server);
}

interface Legs {
  readonly [leg: string]: { isOk: boolean; kind?: string; reason?: string; fix?: string; detail?: string };
}

/** Ask about a registry, with each leg's roots: none where it has no entry. */
async function verify(
  registry: string,
  roots: Partial<Record<"gateway" | "daemon" | "runner", string>>,
  more: string[] = [],
) {
  const dir = folder();
  const file = (name: string, content: string) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  const ca = roots.daemon === undefined ? "" : `ca = ["${file("daemon.pem", roots.daemon)}"]`;
  const toml = file("buildkitd.toml", `[registry."${registry}"]\nhttp = false\n${ca}\n`);
  const { status, out, err } = await runProgram(
    [
      "trust",
      "verify",
      `--registry=${registry}`,
      `--bundle=${file("gateway.pem", roots.gateway ?? "")}`,
      `--toml=${toml}`,
      "--json",
      ...more,
    ],
    { SSL_CERT_FILE: file("runner.pem", roots.runner ?? ""), SSL_CERT_DIR: dir.concat("/none") },
  );
  const answer = out === "" ? undefined : JSON.parse(out).registries[0];
  const legs: Legs = Object.fromEntries((answer?.legs ?? []).map((leg: { leg: string }) => [leg.leg, leg]));
  return { status, err, answer, legs };
}

/** Every leg gives the same verdict. */
function expectOfAll(legs: Legs, verdict: object): void {
  expect(legs).toMatchObject({ gateway: verdict, daemon: verdict, runner: verdict });
}

const all = (roots: string) => ({ gateway: roots, daemon: roots, runner: roots });

test.each<[string, AuthorityOptions]>([
  ["EC", { key: "ec" }],
  ["RSA", { key: "rsa" }],
])("every leg that has the root trusts the registry (%s)", async (_kind, options) => {
  const root = new TestAuthority("sonda-red", options);
  const registry = await serve(root.issue({ ...NAMES, ...(options.key && { key: options.key }) }));
  const { status, legs, answer } = await verify(registry, all(root.cert));
  expect(status).toBe(0);
  expect(answer).toMatchObject({ answer: "tls", chain: [{ subject: "CN=harbor", issuer: "CN=sonda-red" }] });
  for (const leg of ["gateway", "daemon", "runner"]) {
    expect(legs[leg]).toMatchObject({ isOk: true, isVerified: true, detail: "CN=sonda-red" });
  }
});

test("only the leg without the root fails, and the fix is for it", async () => {
  const root = new TestAuthority("sonda-red");
  const registry = await serve(root.issue(NAMES));
  const { status, legs } = await verify(registry, { gateway: root.cert, daemon: root.cert });
  expect(status).toBe(1);
  const fix = "trust inject --for runner, with a bundle that has it";
  expect(legs).toMatchObject({
    gateway: { isOk: true },
    daemon: { isOk: true },
    runner: { isOk: false, kind: "missing_root", fix },
  });
  expect((await verify(registry, {})).legs.daemon).toMatchObject({
    fix: `trust inject --for buildkitd --registry ${registry}, with a bundle that has it`,
  });
});

test("no root: the issuer that is missing is named", async () => {
  const root = new TestAuthority("sonda-red");
  const middle = new TestAuthority("sonda-red issuing", { issuer: root });
  const registry = await serve(middle.issue(NAMES), middle.cert);
  for (const sent of [await serve(root.issue(NAMES)), registry]) {
    const { status, legs } = await verify(sent, {});
    expect(status).toBe(1);
    for (const leg of Object.values(legs)) {
      expect(leg).toMatchObject({ kind: "missing_root", reason: "its root is not among the roots: CN=sonda-red" });
    }
  }
});

test("a missing intermediate is told from a missing root", async () => {
  const root = new TestAuthority("sonda-red");
  const middle = new TestAuthority("sonda-red issuing", { issuer: root });
  const leaf = middle.issue(NAMES);
  const broken = await verify(await serve(leaf), all(root.cert));
  expect(broken.status).toBe(1);
  for (const leg of Object.values(broken.legs)) {
    expect(leg).toMatchObject({
      kind: "missing_intermediate",
      reason: "it sends only its own certificate, and the issuer is not among the roots: CN=sonda-red issuing",
      fix: expect.stringContaining("let the registry send its intermediate"),
    });
  }
  const whole = await verify(await serve(leaf, middle.cert), all(root.cert));
  expect(whole.status).toBe(0);
  expect(whole.answer.chain).toHaveLength(2);
});

test("an intermediate among the roots is enough for Go, and not for the gateway", async () => {
  const middle = new TestAuthority("sonda-red issuing", { issuer: new TestAuthority("sonda-red") });
  const { legs } = await verify(await serve(middle.issue(NAMES), middle.cert), all(middle.cert));
  expect(legs).toMatchObject({ daemon: { isOk: true }, runner: { isOk: true }, gateway: { kind: "missing_root" } });
});

const ROOT = new TestAuthority("sonda-red");
const OLD_ROOT = new TestAuthority("old root", PAST);

test.each<[string, IssuedCertificate, string, string]>([
  ["expired", ROOT.issue({ ...NAMES, ...PAST }), ROOT.cert, "expired on"],
  ["expired", OLD_ROOT.issue(NAMES), OLD_ROOT.cert, "CN=old root"],
  ["not_yet_valid", ROOT.issue({ ...NAMES, notBefore: inDays(1), notAfter: inDays(2) }), ROOT.cert, "not valid before"],
  ["wrong_name", ROOT.issue({ commonName: "localhost", names: ["other.test"] }), ROOT.cert, "but for DNS:other.test"],
  ["wrong_name", ROOT.issue({ commonName: "localhost" }), ROOT.cert, "but for no name at all"],
  ["self_signed", new TestAuthority("localhost"), ROOT.cert, "self-signed, and not among the roots: CN=localhost"],
])("%s is named for every leg", async (kind, certificate, roots, reason) => {
  const { status, legs } = await verify(await serve(certificate), all(roots));
  expect(status).toBe(1);
  expectOfAll(legs, { isOk: false, kind, reason: expect.stringContaining(reason), fix: expect.any(String) });
});

test("a certificate that may not be a server's is rejected, although its chain is whole", async () => {
  const { status, legs } = await verify(await serve(ROOT.issue({ ...NAMES, isClientOnly: true })), all(ROOT.cert));
  expect(status).toBe(1);
  expectOfAll(legs, { kind: "rejected", reason: "OpenSSL refuses the chain: INVALID_PURPOSE" });
});

test("everything that is wrong is named, the most telling first", async () => {
  const { legs } = await verify(await serve(ROOT.issue({ commonName: "x", names: ["other.test"], ...PAST })), {});
  expect(legs.runner).toMatchObject({
    kind: "missing_root",
    reason: expect.stringMatching(/root.*; expired.*; its certificate is not for/),
  });
});

test("plain HTTP on the TLS port is named", async () => {
  const registry = await listen(createHttpServer((_request, response) => response.end("{}")));
  const { status, answer, legs } = await verify(registry, all(ROOT.cert));
  expect({ status, answer: answer.answer }).toEqual({ status: 1, answer: "plain_http" });
  expectOfAll(legs, { kind: "plain_http", reason: "it answers plain HTTP where TLS is expected" });
  expect(legs.daemon).toMatchObject({ fix: expect.stringContaining("set http = true") });
});

test("a refused connection is named", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const registry = `localhost:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  const { status, legs } = await verify(registry, all(ROOT.cert));
  expect(status).toBe(1);
  expectOfAll(legs, { kind: "refused", reason: "connection refused", fix: expect.any(String) });
});

test("a server that says nothing is named as one that does not answer", async () => {
  const registry = await listen(createServer());
  const { status, legs } = await verify(registry, all(ROOT.cert), ["--timeout=300ms"]);
  expect(status).toBe(1);
  expectOfAll(legs, { kind: "timeout", reason: "no answer while TLS handshake", fix: expect.any(String) });
});

test("a name without an address is named", async () => {
  const { status, legs } = await verify("harbor.invalid", all(ROOT.cert));
  expect(status).toBe(1);
  expectOfAll(legs, { kind: "dns" });
});

test("a server that speaks something else is named", async () => {
  const registry = await listen(createServer((socket) => socket.end("220 smtp\r\n")));
  const { status, legs } = await verify(registry, all(ROOT.cert));
  expect(status).toBe(1);
  expectOfAll(legs, { kind: "tls_failed" });
});

test("a daemon that speaks plain HTTP to this machine's own registry is found out", async () => {
  const registry = await serve(ROOT.issue(NAMES));
  const { status, out } = await runProgram(["trust", "verify", "--registry", registry, "--leg", "daemon", "--json"]);
  expect(status).toBe(1);
  expect(JSON.parse(out).registries[0].legs).toMatchObject([{ leg: "daemon", kind: "speaks_plain_http" }]);
});

test("a daemon whose authority is not there fails, although the system's roots would do", async () => {
  const registry = await serve(ROOT.issue(NAMES));
  const dir = folder();
  writeFileSync(join(dir, "ca.pem"), ROOT.cert);
  writeFileSync(join(dir, "toml"), `[registry."${registry}"]\nhttp = false\nca = ["${dir}/gone.pem"]\n`);
  const env = { SSL_CERT_FILE: join(dir, "ca.pem") };
  const { status, out } = await runProgram(
    ["trust", "verify", "--registry", registry, "--leg=daemon,runner", `--toml=${dir}/toml`],
    env,
  );
  expect(status).toBe(1);
  expect(out).toMatch(/daemon {2}FAILED {2}.*gone\.pem: no such file or directory/);
  expect(out).toMatch(/runner {2}ok {6}by CN=sonda-red/);
});

/** Ask about a registry for the daemon alone, by what its file says; `toml` sees the folder. */
async function verifyDaemon(registry: string, toml: (dir: string) => string, files: Record<string, string> = {}) {
  const dir = folder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  writeFileSync(join(dir, "toml"), toml(dir));
  const { status, out, err } = await runProgram(
    ["trust", "verify", "--registry", registry, "--leg=daemon", `--toml=${dir}/toml`, "--json"],
    { SSL_CERT_FILE: "/nonexistent", SSL_CERT_DIR: "/nonexistent" },
  );
  const registries = out === "" ? [] : JSON.parse(out).registries;
  return { status, err: err.replaceAll(dir, ""), registries, leg: registries[0]?.legs[0] };
}

test("a folder of the daemon's has its .crt files read, and no others; one that is not there is told", async () => {
  const registry = await serve(ROOT.issue(NAMES));
  const toml = (dir: string) =>
    `registry = { "${registry}" = { http = false, tlsconfigdir = ["${dir}", '${dir}/none'] } }\n`;
  const { status, leg } = await verifyDaemon(registry, toml, { "a.crt": ROOT.cert });
  expect(status).toBe(0);
  expect(leg).toMatchObject({
    isOk: true,
    roots: { certificates: 1, origin: expect.stringContaining("/none, passed") },
  });
  expect((await verifyDaemon(registry, toml, { "a.pem": ROOT.cert })).leg).toMatchObject({ kind: "missing_root" });
});

test.each<[string, string, Record<string, string>, string]>([
  ["a .cert without its .key", "", { "a.crt": ROOT.cert, "client.cert": "" }, "client.cert: no client.key beside it"],
  ["a file in the place of a folder", "/a.crt", { "a.crt": ROOT.cert }, "a.crt: not a directory"],
])("a daemon that stumbles over %s fails, whatever it trusts", async (_what, place, files, reason) => {
  const registry = await serve(ROOT.issue(NAMES));
  for (const how of ["http = false", "insecure = true"]) {
    const toml = (dir: string) => `["registry"."${registry}"]\r\n${how}\r\ntlsconfigdir=["${dir}${place}"]\r\n`;
    const { leg } = await verifyDaemon(registry, (dir) => `${toml(dir)}ca = ["${dir}/a.crt"]`, files);
    expect(leg).toMatchObject({ kind: "roots_unreadable", reason: expect.stringContaining(reason) });
  }
});

test("a daemon that is told http and insecure takes either; told insecure alone, it takes TLS only", async () => {
  const tls = await serve(ROOT.issue(NAMES));
  const plain = await listen(createHttpServer((_request, response) => response.end("{}")));
  const both = "http = true\ninsecure = true";
  const answers = [
    [tls, both, { isOk: true, detail: "insecure = true: any certificate is taken" }],
    [plain, both, { isOk: true, detail: "plain HTTP, as it is set to" }],
    [tls, "http = false\ninsecure = true", { isOk: true }],
    [plain, "http = false\ninsecure = true", { kind: "plain_http" }],
  ] as const;
  for (const [registry, settings, expected] of answers) {
    const { leg } = await verifyDaemon(registry, () => `[registry]\n[registry."${registry}"]\n${settings}`);
    expect(leg).toMatchObject(expected);
  }
});

test("a mirror is verified with the settings of its own entry, and called one", async () => {
  const [registry, mirror] = [await serve(ROOT.issue(NAMES)), await serve(ROOT.issue(NAMES))];
  const toml = (dir: string) =>
    `[registry."${registry}"]\nhttp = false\nca = ["${dir}/a.crt"]\nmirrors = ["https://${mirror}/proxy/x"]\n` +
    `[registry."${mirror}"]\nhttp = false\nmirrors = ["never.asked"]\n`;
  const { status, registries } = await verifyDaemon(registry, toml, { "a.crt": ROOT.cert });
  expect(status).toBe(1);
  expect(registries).toMatchObject([
    { registry, legs: [{ isOk: true }] },
    { registry: mirror, mirrorOf: registry, legs: [{ kind: "missing_root" }] },
  ]);
  expect(registries).toHaveLength(2);
});

test.each([
  ['ca = "a.crt"', "line 2: ca is not an array of strings"],
  ["mirrors = [1]", "line 2: mirrors is not an array of strings"],
  ['mirrors = ["a b"]', 'a mirror of x is not a registry: "a b"'],
  ["ca = [", "line 2: not a value"],
])("a daemon's file that says %s is refused", async (setting, fault) => {
  const { status, err } = await verifyDaemon("x", () => `[registry.x]\n${setting}`);
  expect({ status, err }).toEqual({ status: 1, err: `buildkit-gateway: /toml: ${fault}\n` });
});

test("people read the chain, a row for each leg, and what to do", async () => {
  const middle = new TestAuthority("sonda-red issuing", { issuer: ROOT });
  const registry = await serve(middle.issue(NAMES), middle.cert);
  const dir = folder();
  writeFileSync(join(dir, "ca.pem"), ROOT.cert);
  const { out } = await runProgram([
    "trust",
    "verify",
    "--registry",
    registry,
    `--bundle=${dir}/ca.pem`,
    "--leg=gateway",
  ]);
  const day = inDays(1).toISOString().slice(0, 10);
  expect(out.split("\n")).toEqual([
    `${registry}: sends 2 certificates (TLSv1.3)`,
    `  1. CN=harbor; by CN=sonda-red issuing; expires ${day}`,
    `  2. CN=sonda-red issuing; by CN=sonda-red; expires ${day}`,
    "  LEG      RESULT  WHY              ROOTS",
    `  gateway  ok      by CN=sonda-red  ${dir}/ca.pem (1)`,
    "",
  ]);
});

test.each([
  [["--registry", "https://harbor"], '--registry: not a registry: "https://harbor" (write host or host:port)'],
  [["--registry", "a", "--leg", "git"], '--leg: not a leg: "git" (gateway, daemon, runner)'],
  [["--registry", "a", "--timeout", "1h"], "--timeout: "],
  [[], "--registry: is needed"],
])("a wrong command line is refused: %j", async (args, message) => {
  const { status, err } = await runProgram(["trust", "verify", ...args]);
  expect(status).toBe(2);
  expect(err).toContain(message);
});
