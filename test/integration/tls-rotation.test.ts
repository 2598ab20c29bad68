import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SteadyLoad } from "../support/builds/steady-load.ts";
import type { DriverOpts } from "../support/lab/buildx.ts";
import { type IssuedCertificate, TestAuthority } from "../support/lab/certificates.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

const ROTATIONS = 20;

await describeWithLab("certificates that are replaced under a steady load of builds over mutual TLS", (lab) => {
  const [old, next] = [new TestAuthority("old authority"), new TestAuthority("next authority")];
  const gateways = new Gateways();
  let folder: string;
  let gateway: GatewayProcess;
  let versions = 0;

  beforeAll(async () => {
    const replicas = await lab().startReplicas(2);
    folder = await lab().newFolder();
    await file("trusted.pem", old.cert + next.cert);
    await runner("old-runner", old);
    await runner("next-runner", next);
    await publish(server("gateway-0"), old.cert + next.cert);
    for (const name of ["tls.crt", "tls.key", "ca.crt"]) await symlink(join("..data", name), join(folder, name));
    const path = (name: string) => join(folder, name);
    gateway = await gateways.start({
      replicas,
      flags: ["--tls-cert", path("tls.crt"), "--tls-key", path("tls.key"), "--tls-client-ca", path("ca.crt")],
    });
  });
  afterAll(() => gateways.kill());

  async function file(name: string, content: string): Promise<void> {
    await writeFile(join(folder, name), content);
  }

  async function runner(commonName: string, authority: TestAuthority): Promise<void> {
    const { cert, key } = authority.issue({ commonName });
    await file(`${commonName}-cert.pem`, cert);
    await file(`${commonName}-key.pem`, key);
  }

  function server(commonName: string): IssuedCertificate {
    return next.issue({ commonName, names: ["gateway.test"] });
  }

  /** Replace all files at once, by the swap of a link as Kubernetes does it. */
  async function publish({ cert, key }: IssuedCertificate, clientCa: string): Promise<void> {
    const version = `..version-${versions++}`;
    await mkdir(join(folder, version));
    await file(join(version, "tls.crt"), cert);
    await file(join(version, "tls.key"), key);
    await file(join(version, "ca.crt"), clientCa);
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  }

  function driverOpts(name: string): DriverOpts {
    const pem = (kind: string) => join(folder, `${name}-${kind}.pem`);
    return { cacert: join(folder, "trusted.pem"), cert: pem("cert"), key: pem("key"), servername: "gateway.test" };
  }

  /** Whose certificate a new client is shown. */
  function shown(): Promise<string> {
    const port = Number(gateway.address.split(":").at(-1));
    return new Promise((resolve, reject) => {
      const client = connect({ host: "127.0.0.1", port, servername: "gateway.test", rejectUnauthorized: false }, () => {
        resolve(String(client.getPeerCertificate().subject.CN));
        client.destroy();
      });
      client.once("error", reject);
    });
  }

  test("no build fails, the last one is shown, and clients of an authority that is gone are refused", async () => {
    let current = "old-runner";
    const { address, lines } = gateway;
    const load = new SteadyLoad({ lab: lab(), address, driverOpts: () => driverOpts(current), workers: 2 });
    for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
      const from = lines.all.length;
      if (rotation === ROTATIONS / 2) {
        await publish({ cert: "broken", key: "broken" }, "broken");
        await lines.next("new certificates cannot be used, keeping those in force", {}, from);
        expect(await shown()).toBe(`gateway-${rotation - 1}`);
      }
      await publish(server(`gateway-${rotation}`), old.cert + next.cert);
      await lines.next("certificates replaced", {}, from);
      expect(await shown()).toBe(`gateway-${rotation}`);
    }
    current = "next-runner";
    // Until the last build of the old authority's client has ended.
    const { ended } = load;
    await pollUntil("more builds", async () => load.ended >= ended + 4);
    const from = lines.all.length;
    await publish(server("gateway-last"), next.cert);
    await lines.next("certificates replaced", {}, from);
    await pollUntil("builds of the next authority's client", async () => load.ended >= ended + 8);
    const results = await load.stop();
    for (const { exitCode, stderr } of results) expect(exitCode, stderr).toBe(0);
    expect(results.length).toBeGreaterThan(ROTATIONS / 2);
    console.log(`${results.length} builds during ${ROTATIONS + 1} rotations`);
    expect(await shown()).toBe("gateway-last");

    for (const version of BUILDX_VERSIONS) {
      const revoked = await lab().createBuilder({ version, address, driverOpts: driverOpts("old-runner") });
      const { exitCode, stderr } = await revoked.run(["build", "--output=type=cacheonly", folder]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("no client certificate issued by CN=next authority was shown (tls.clientCa)");
    }
    const { text } = await gateway.ask("/metrics");
    expect(text).toMatch(/bkgw_certificate_expiry_timestamp_seconds\{setting="tls\.cert"\} \d+/);
    expect(text).toMatch(/bkgw_certificate_expiry_timestamp_seconds\{setting="tls\.clientCa"\} \d+/);
  });
});
