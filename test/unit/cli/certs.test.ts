import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { runProgram } from "./run-program.ts";

const BOTH_CONVENTIONS = ["ca.crt", "ca.pem", "cert.pem", "key.pem", "tls.crt", "tls.key"];
const PAIRS = ["buildkit-gateway-tls", "buildkit-gateway-client", "buildkit-tls", "buildkit-runner-tls"];

/** A folder of this test's own. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "certs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Run `certs`, which must succeed; returns what it printed. */
async function certs(...argv: string[]): Promise<string> {
  const { status, out, err } = await runProgram(["certs", ...argv]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  return out;
}

const read = (...path: string[]) => readFileSync(join(...path), "utf8");
const certificate = (...path: string[]) => new X509Certificate(read(...path));
const modeOf = (...path: string[]) => statSync(join(...path)).mode & 0o777;

describe("files", () => {
  test("are what deploy/ expects, in both conventions, with keys that nobody else can read", async () => {
    const folder = newFolder();
    const out = await certs("--out", folder);
    expect(out).toMatch(/^PAIR +VALID UNTIL\nauthority +\d{4}-\d\d-\d\d\nbuildkit-gateway-tls +\d{4}/);
    expect(readdirSync(folder).sort()).toEqual([...PAIRS, "ca-key.pem", "ca.crt", "ca.pem"].sort());
    expect(modeOf(folder, "ca-key.pem")).toBe(0o600);
    const ca = certificate(folder, "ca.pem");
    expect(ca.subject).toBe("CN=sonda-red buildkit");
    expect(ca.ca).toBe(true);
    for (const pair of PAIRS) {
      expect(readdirSync(join(folder, pair)).sort()).toEqual(BOTH_CONVENTIONS);
      for (const [name, twin] of [
        ["ca.pem", "ca.crt"],
        ["cert.pem", "tls.crt"],
        ["key.pem", "tls.key"],
      ] as const) {
        expect(read(folder, pair, name)).toBe(read(folder, pair, twin));
      }
      expect([modeOf(folder, pair, "key.pem"), modeOf(folder, pair, "tls.key")]).toEqual([0o600, 0o600]);
      expect(read(folder, pair, "ca.pem")).toBe(read(folder, "ca.pem"));
      expect(certificate(folder, pair, "cert.pem").verify(ca.publicKey)).toBe(true);
      createSecureContext({ cert: read(folder, pair, "cert.pem"), key: read(folder, pair, "key.pem") });
    }
    const gateway = certificate(folder, "buildkit-gateway-tls", "tls.crt");
    for (const name of [
      "buildkit.buildkit.svc.cluster.local",
      "buildkit.buildkit.svc",
      "buildkit.buildkit",
      "buildkit",
    ]) {
      expect(gateway.checkHost(name)).toBe(name);
    }
    expect(gateway.checkHost("localhost")).toBe("localhost");
    expect(gateway.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(
      certificate(folder, "buildkit-tls", "tls.crt").checkHost("buildkit-replicas.buildkit.svc.cluster.local"),
    ).toBeTruthy();
    expect(certificate(folder, "buildkit-runner-tls", "tls.crt").subject).toBe("CN=buildkit-runner");
  });

  test("are those that were asked for", async () => {
    const folder = newFolder();
    const names = "front=ci.example,*.ci.example,10.0.0.1";
    const client = "sidecar=spiffe://ci/sidecar,sidecar.example";
    await certs("--out", folder, "--server", names, "--client", client, "--client", "alice", "--days", "7");
    expect(readdirSync(folder).sort()).toEqual(["alice", "ca-key.pem", "ca.crt", "ca.pem", "front", "sidecar"]);
    const front = certificate(folder, "front", "cert.pem");
    expect(front.subjectAltName).toBe("DNS:ci.example, DNS:*.ci.example, IP Address:10.0.0.1");
    expect((Date.parse(front.validTo) - Date.now()) / 86_400_000).toBeCloseTo(7, 1);
    const sidecar = certificate(folder, "sidecar", "cert.pem");
    expect([sidecar.subject, sidecar.subjectAltName]).toEqual([
      "CN=sidecar",
      "URI:spiffe://ci/sidecar, DNS:sidecar.example",
    ]);
    expect(certificate(folder, "alice", "cert.pem").subjectAltName).toBeUndefined();
  });

  test("have another name of the gateways, another namespace, and pairs of one's own, where that is said", async () => {
    const folder = newFolder();
    const own = ["--preset", "kubernetes", "--client", "alice", "--name", "ci.example", "--namespace", "build"];
    await certs("--out", folder, ...own, "--ca-name", "our own", "--ca-days", "2");
    const gateway = certificate(folder, "buildkit-gateway-tls", "cert.pem");
    expect(gateway.checkHost("ci.example")).toBe("ci.example");
    expect(gateway.checkHost("buildkit.build.svc")).toBe("buildkit.build.svc");
    const ca = certificate(folder, "ca.pem");
    expect([ca.subject, gateway.validTo]).toEqual(["CN=our own", ca.validTo]);
    expect(readdirSync(folder)).toContain("alice");
  });

  test("have RSA keys where that is said", async () => {
    const folder = newFolder();
    await certs("--out", folder, "--client", "alice", "--key-type", "rsa");
    expect(certificate(folder, "alice", "cert.pem").publicKey.asymmetricKeyType).toBe("rsa");
  }, 30_000);

  test("are never overwritten without being told", async () => {
    const folder = newFolder();
    await certs("--out", folder);
    const before = read(folder, "buildkit-tls", "tls.key");
    rmSync(join(folder, "ca.pem"));
    const { status, out, err } = await runProgram(["certs", "--out", folder]);
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(err).toBe(
      `buildkit-gateway: ${join(folder, "ca.crt")}: is there already, and nothing was written ` +
        "(--force replaces it; --ca-cert and --ca-key use an authority again)\n",
    );
    expect(readdirSync(folder)).not.toContain("ca.pem");

    chmodSync(join(folder, "buildkit-tls", "tls.key"), 0o644);
    await certs("--out", folder, "--force");
    expect(read(folder, "buildkit-tls", "tls.key")).not.toBe(before);
    expect(modeOf(folder, "buildkit-tls", "tls.key")).toBe(0o600);
  });

  test("are added to a folder with the authority that it has", async () => {
    const folder = newFolder();
    await certs("--out", folder, "--server", "front=ci.example");
    const again = ["--ca-cert", join(folder, "ca.pem"), "--ca-key", join(folder, "ca-key.pem")];
    expect(await certs("--out", folder, "--client", "alice", ...again)).not.toContain("authority");
    expect(certificate(folder, "alice", "cert.pem").checkIssued(certificate(folder, "ca.pem"))).toBe(true);
    expect(read(folder, "alice", "ca.pem")).toBe(read(folder, "front", "ca.pem"));
  });
});

describe("Secrets", () => {
  /** A manifest, with its data decoded. */
  function readSecrets(yaml: string) {
    return parseAllDocuments(yaml).map((document) => {
      const { kind, type, metadata, data } = document.toJS();
      const decode = (text: unknown) => Buffer.from(text as string, "base64").toString();
      const files = Object.fromEntries(Object.entries(data).map(([name, text]) => [name, decode(text)]));
      return { kind, type, name: metadata.name, namespace: metadata.namespace, files };
    });
  }

  test("are printed for deploy/, each in both conventions, the runners' in their namespace", async () => {
    const secrets = readSecrets(await certs("--output", "secrets", "--runner-namespace", "arc-runners"));
    expect(secrets.map(({ name, namespace }) => `${namespace}/${name}`)).toEqual([
      "buildkit/buildkit-ca",
      "buildkit/buildkit-gateway-tls",
      "buildkit/buildkit-gateway-client",
      "buildkit/buildkit-tls",
      "arc-runners/buildkit-runner-tls",
    ]);
    const ca = new X509Certificate(secrets[0]!.files["tls.crt"]!);
    for (const { kind, type, files } of secrets) {
      expect({ kind, type, names: Object.keys(files).sort() }).toEqual({
        kind: "Secret",
        type: "kubernetes.io/tls",
        names: BOTH_CONVENTIONS,
      });
      expect(new X509Certificate(files["tls.crt"]!).checkIssued(ca)).toBe(true);
      createSecureContext({ cert: files["tls.crt"]!, key: files["tls.key"]!, ca: files["ca.crt"]! });
    }
  });

  test("in a file are nobody else's to read, and hold no authority that was there before", async () => {
    const folder = newFolder();
    await certs("--out", folder, "--client", "alice");
    const file = join(folder, "secrets.yaml");
    const again = ["--ca-cert", join(folder, "ca.pem"), "--ca-key", join(folder, "ca-key.pem")];
    await certs("--output", "secrets", "--out", file, ...again);
    expect(modeOf(file)).toBe(0o600);
    expect(readSecrets(read(file)).map(({ name }) => name)).toEqual(PAIRS);
    const { status, err } = await runProgram(["certs", "--output", "secrets", "--out", file]);
    expect({ status, err }).toEqual({ status: 1, err: expect.stringContaining(`${file}: is there already`) });
  });
});

test("an authority that cannot be used is one line, with exit status 1", async () => {
  const folder = newFolder();
  const refused = async (cert: string, key: string) => {
    const authority = ["--ca-cert", join(folder, cert), "--ca-key", join(folder, key)];
    const { status, err } = await runProgram(["certs", "--out", join(folder, "new"), ...authority]);
    expect(status).toBe(1);
    return err.replaceAll(folder, "");
  };
  await certs("--out", folder, "--client", "alice");
  writeFileSync(join(folder, "large"), Buffer.alloc(2 ** 20 + 1));
  const line = (text: string) => `buildkit-gateway: ${text}\n`;
  expect(await refused("none", "ca-key.pem")).toBe(line("--ca-cert: /none: no such file or directory"));
  expect(await refused("alice", "ca-key.pem")).toBe(line("--ca-cert: /alice: illegal operation on a directory"));
  expect(await refused("large", "ca-key.pem")).toBe(line("--ca-cert: /large: 1048577 bytes, more than 1048576"));
  expect(await refused("alice/cert.pem", "alice/key.pem")).toBe(
    line("--ca-cert: /alice/cert.pem: not an authority's certificate: CN=alice"),
  );
  expect(await refused("ca.pem", "alice/key.pem")).toBe(
    line("--ca-key: /alice/key.pem: not the key of CN=sonda-red buildkit"),
  );
  expect(readdirSync(folder)).not.toContain("new");
});

// Node has changed its mind about which of the two it is.
test("a folder that cannot be made is one line, with exit status 1", async () => {
  const file = join(newFolder(), "file");
  writeFileSync(file, "");
  const { status, err } = await runProgram(["certs", "--out", file, "--client", "alice"]);
  expect({ status, err }).toEqual({
    status: 1,
    err: expect.stringMatching(/^buildkit-gateway: \/.*: (not a directory|file already exists)\n$/),
  });
});

test.each([
  [["a"], 'unexpected argument: "a"'],
  [["--output", "pem"], '--output: not one of files, secrets: "pem"'],
  [["--preset", "x"], '--preset: not one of kubernetes: "x"'],
  [["--days", "0"], "--days: too small: 0 (at least 1)"],
  [["--days", "1000000"], "--days: too large: 1000000 (at most 36500)"],
  [["--key-type", "dsa"], '--key-type: not one of ec, rsa: "dsa"'],
  [["--ca-cert", "ca.pem"], "--ca-cert: needs --ca-key"],
  [["--ca-key", "ca.pem"], "--ca-key: needs --ca-cert"],
  [
    ["--ca-cert", "a", "--ca-key", "b", "--ca-days", "3"],
    "--ca-days: is for a new authority, and --ca-cert gives one that there is",
  ],
  [["--ca-name", "ü"], '--ca-name: not a common name: "ü" (1 to 64 characters of ASCII)'],
  [["--server", "front"], "--server: front needs a name: write front=host.example"],
  [["--client", "../x"], '--client: not a name: "../x" (1 to 63 of a-z, 0-9 and "-")'],
  [["--client", "a", "--server", "a=b"], "two pairs are called a"],
  [["--client", "buildkit-ca"], "two pairs are called buildkit-ca"],
  [["--client", "a", "--name", "b"], "--name: needs --preset kubernetes"],
  [["--namespace", "A"], '--namespace: not a name: "A" (1 to 63 of a-z, 0-9 and "-")'],
  [
    ["--server", "a=b c"],
    '--server: not a name of a certificate: "b c" (write a host name, *.domain, an address or a URI)',
  ],
  [["--client", `a=${Array.from({ length: 101 }, (_, i) => `n${i}`).join(",")}`], "a has 101 names, more than 100"],
])("the command line %j is wrong, with exit status 2", async (argv, message) => {
  expect(await runProgram(["certs", ...argv])).toEqual({ status: 2, out: "", err: `buildkit-gateway: ${message}\n` });
});
