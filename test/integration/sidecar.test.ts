import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type IssuedCertificate, TestAuthority } from "../support/lab/certificates.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import type { LogLine } from "../support/lab/log-lines.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

const REPOSITORY = "github.com/acme/app";

await describeWithLab("a sidecar before a gateway with mutual TLS", (lab) => {
  const authority = new TestAuthority();
  const gateways = new Gateways();
  let replicas: readonly LabReplica[];
  let folder: string;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    replicas = await lab().startReplicas(1);
    folder = await lab().newFolder();
    await file("ca.pem", authority.cert);
    await certificate("gateway", authority.issue({ commonName: "gateway", names: ["gateway.test"] }));
    gateway = await gateways.start({
      replicas,
      flags: ["--tls-cert", pem("gateway-cert"), "--tls-key", pem("gateway-key"), "--tls-client-ca", pem("ca")],
      env: {
        BUILDKIT_GATEWAY_IDENTITY_TRUST: "uri:spiffe://cluster.test/ns/arc-runners/*",
        BUILDKIT_GATEWAY_METRICS_REPOSITORIES: "10",
      },
    });
  });
  afterAll(() => gateways.kill());

  function pem(name: string): string {
    return join(folder, `${name}.pem`);
  }

  async function file(name: string, content: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  async function certificate(name: string, { cert, key }: IssuedCertificate): Promise<void> {
    await file(`${name}-cert.pem`, cert);
    await file(`${name}-key.pem`, key);
  }

  /** Start a sidecar whose certificate has this URI. */
  async function startSidecar(name: string, uri: string, listen: string): Promise<GatewayProcess> {
    await certificate(name, authority.issue({ commonName: name, names: [uri] }));
    return await gateways.start({
      command: "sidecar",
      listen,
      until: "serving",
      flags: [
        ...["--upstream", gateway.address, "--upstream-servername", "gateway.test"],
        ...["--upstream-ca", pem("ca"), "--upstream-cert", pem(`${name}-cert`), "--upstream-key", pem(`${name}-key`)],
        ...["--identity", "namespace=arc-runners", "--identity", `pod=${name}`],
        ...["--identity-file", join(folder, `${name}-job`)],
      ],
    });
  }

  /** Build without saying anything of a repository; returns what the gateway says of the build's end. */
  async function build(address: string, version: BuildxVersion): Promise<LogLine> {
    const context = await makeBuildContext({ newFolder: () => lab().newFolder(), busybox: lab().tools.busybox }, "");
    const from = gateway.lines.all.length;
    const buildx = await lab().createBuilder({ version, address });
    const { exitCode, stderr } = await buildx.run(["build", "--output=type=cacheonly", context]);
    expect(exitCode, stderr).toBe(0);
    return await gateway.lines.next("build ended", {}, from);
  }

  test("carries builds of any client, with the job that a runner's hook has written down", async () => {
    const sidecar = await startSidecar(
      "runner-1",
      "spiffe://cluster.test/ns/arc-runners/sa/runner",
      "tcp://127.0.0.1:0",
    );
    await file(
      "runner-1-job",
      "GITHUB_REPOSITORY=acme/app\nGITHUB_WORKFLOW_REF=acme/app/.github/workflows/ci.yml@refs/heads/main\n" +
        "GITHUB_RUN_ID=4711\nGITHUB_JOB=image\n",
    );
    for (const version of BUILDX_VERSIONS) {
      expect(await build(sidecar.address, version)).toMatchObject({
        outcome: "succeeded",
        repository: REPOSITORY,
        workflow: "acme/app/.github/workflows/ci.yml@refs/heads/main",
        runId: "4711",
        job: "image",
        namespace: "arc-runners",
        pod: "runner-1",
        key: REPOSITORY,
        replica: replicas[0]!.name,
      });
    }
    const { text } = await gateway.ask("/metrics");
    const count = `bkgw_repository_builds_total{repository="${REPOSITORY}",result="succeeded"} ${BUILDX_VERSIONS.length}`;
    expect(text.split("\n")).toContain(count);
  });

  test("listens on a unix socket as well", async () => {
    const socket = `unix://${join(folder, "s.sock")}`;
    await startSidecar("runner-2", "spiffe://cluster.test/ns/arc-runners/sa/runner", socket);
    await file("runner-2-job", "GITHUB_REPOSITORY=acme/other\n");
    expect(await build(socket, BUILDX_VERSIONS[0]!)).toMatchObject({ repository: "github.com/acme/other" });
  });

  test("cannot speak for anybody with a certificate that is not trusted", async () => {
    const uri = "spiffe://cluster.test/ns/somewhere/sa/app";
    const sidecar = await startSidecar("stranger", uri, "tcp://127.0.0.1:0");
    await file("stranger-job", "GITHUB_REPOSITORY=acme/app\n");
    const ended = await build(sidecar.address, BUILDX_VERSIONS[0]!);
    expect(ended).toMatchObject({ outcome: "succeeded", certificate: `uri:${uri}` });
    expect(ended).not.toHaveProperty("repository");
    expect(ended).not.toHaveProperty("pod");
    const { text } = await gateway.ask("/metrics");
    expect(text).toContain('bkgw_repository_builds_total{repository="unknown",result="succeeded"} 1\n');
  });
});
