import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, expect, test } from "vitest";
import { type IssuedCertificate, TestAuthority } from "../support/lab/certificates.ts";
import { runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { type GatewayOptions, GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** One check, as `doctor --json` has it. */
interface Check {
  readonly check: string;
  readonly result: string;
  readonly seen: string;
  readonly fix?: string;
}

/** Run the doctor as users do. */
async function doctor(...flags: readonly string[]) {
  const env = { PATH: process.env.PATH };
  const { exitCode, stdout, stderr, durationMs } = await runCommand(
    process.execPath,
    [PROGRAM, "doctor", "--json", ...flags],
    { env },
  );
  const { result, checks } = JSON.parse(stdout) as { readonly result: string; readonly checks: readonly Check[] };
  const find = (name: string) => checks.find(({ check }) => check === name)!;
  return { exitCode, stderr, durationMs, result, checks, find };
}

await describeWithLab(
  "doctor",
  (lab) => {
    const notAfter = new Date(Date.now() + 365 * 86_400_000);
    const authority = new TestAuthority("sonda-red", { notAfter });
    const issue = (from: TestAuthority, commonName: string, names: readonly string[] = []) =>
      from.issue({ commonName, names, notAfter });
    let folder: string;
    let replicas: readonly LabReplica[];
    let gateway: GatewayProcess | undefined;

    beforeAll(async () => {
      folder = await lab().newFolder();
      replicas = await lab().startReplicas(2);
    });
    afterEach(async () => {
      await gateway?.kill();
      gateway = undefined;
    });

    async function file(name: string, content: string): Promise<string> {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    }

    async function pair(name: string, { cert, key }: IssuedCertificate) {
      return { cert: await file(`${name}.crt`, cert), key: await file(`${name}.key`, key) };
    }

    async function start(options: GatewayOptions): Promise<GatewayProcess> {
      gateway = await GatewayProcess.start(options);
      return gateway;
    }

    test("finds nothing wrong with a gateway in the clear, and with a daemon itself", async () => {
      const { address, adminAddress } = await start({ replicas });
      const { exitCode, stderr, checks, find } = await doctor("--addr", address, "--admin", adminAddress);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(checks.filter(({ result }) => result === "failure" || result === "warning")).toEqual([]);
      expect(find("ListWorkers").seen).toMatch(/^buildkit-gateway \S+, pool default of 2 replicas; builds for linux\//);
      expect(find("replicas").seen).toBe("2 of 2 replicas ready");
      expect(find("versions").seen).toMatch(/^pool default: BuildKit v/);
      expect(find("clock").result).toBe("ok");
      const daemon = await doctor("--addr", replicas[0]!.address);
      expect([daemon.exitCode, daemon.find("gRPC health").seen]).toEqual([
        0,
        "gRPC answers; it serves no grpc.health, like dockerd",
      ]);
    });

    test("says which client certificate was missing, or why it was not trusted", async () => {
      const server = await pair("server", issue(authority, "gateway", ["gateway.test"]));
      const ca = await file("ca.crt", authority.cert);
      const { address } = await start({
        replicas,
        flags: [`--tls-cert=${server.cert}`, `--tls-key=${server.key}`, `--tls-client-ca=${ca}`],
      });
      const common = ["--addr", address, "--ca", ca, "--servername", "gateway.test"];
      const givenOf = async (name: string, certificate: IssuedCertificate) => {
        const { cert, key } = await pair(name, certificate);
        return doctor(...common, "--cert", cert, "--key", key);
      };

      const right = await givenOf("runner", issue(authority, "runner"));
      expect(right.checks.filter(({ result }) => result === "failure" || result === "warning")).toEqual([]);
      expect(right.find("client certificate").seen).toBe(
        "the server asks for one of CN=sonda-red; given: CN=runner, issued by CN=sonda-red; taken",
      );

      const none = await doctor(...common);
      expect(none.exitCode).toBe(1);
      expect(none.find("client certificate")).toMatchObject({
        result: "failure",
        seen: expect.stringMatching(
          /^refused: no client certificate issued by CN=sonda-red was shown \(tls\.clientCa\); .*; none is given$/,
        ),
        fix: expect.stringMatching(/^give --cert and --key/),
      });
      expect(none.find("Info").result).toBe("skipped");

      const stranger = await givenOf("stranger", issue(new TestAuthority("somebody else"), "stranger"));
      expect(stranger.find("client certificate")).toMatchObject({
        result: "failure",
        seen: expect.stringMatching(
          /^refused: the client certificate \S*stranger, issued by CN=somebody else, is not trusted: its issuer is not in tls\.clientCa/,
        ),
        fix: expect.stringMatching(/tls\.clientCa/),
      });

      const past = new Date(Date.now() - 60_000);
      const expired = await givenOf("expired", authority.issue({ commonName: "expired", notAfter: past }));
      expect(expired.find("client certificate")).toMatchObject({
        result: "failure",
        seen: expect.stringMatching(/is not trusted: it has expired/),
        fix: "renew that certificate",
      });
    });

    test("says that TLS is missing, and that the gateway's certificate is not trusted", async () => {
      const server = await pair("plain", issue(authority, "gateway", ["gateway.test"]));
      const flags = [`--tls-cert=${server.cert}`, `--tls-key=${server.key}`, "--tls-mode=required"];
      const { address } = await start({ replicas, flags });
      const clear = await doctor("--addr", address);
      expect(clear.find("gRPC health")).toMatchObject({
        result: "failure",
        seen: "refused: TLS is required on this address (tls.mode)",
      });
      const foreign = await file("foreign.crt", new TestAuthority("somebody else").cert);
      const untrusted = await doctor("--addr", address, "--ca", foreign, "--servername", "gateway.test");
      expect(untrusted.find("chain")).toMatchObject({
        result: "failure",
        seen: expect.stringContaining("CN=sonda-red"),
      });
      expect(untrusted.find("name").result).toBe("ok");
    });

    test("names the replica that is down, and why", async () => {
      const own = await lab().startReplicas(2);
      const gone = own[1]!;
      const { address, adminAddress, lines } = await start({ replicas: own });
      await gone.kill9();
      await lines.next("replica state changed", { replica: gone.name, to: "ejected" });
      const { exitCode, find } = await doctor("--addr", address, "--admin", adminAddress);
      expect([exitCode, find("ListWorkers").result, find("replicas").seen]).toEqual([1, "ok", "1 of 2 replicas ready"]);
      expect(find(`replica ${gone.name}`)).toMatchObject({
        result: "failure",
        seen: expect.stringMatching(/^ejected: .*ECONNREFUSED/),
      });
    });
  },
  { ownReplicas: true },
);
