import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Gate } from "../support/builds/gate.ts";
import type { Buildx } from "../support/lab/buildx.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import type { CommandResult } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

const POLICY = `
policy:
  forks:
    certificates: [cn:fork]
    refuse: [Prune, UpdateBuildHistory.Delete]
    entitlements: []
    pool: forks
  limited:
    certificates: [cn:limited]
    maxBuilds: 1
    entitlements: [network.host]
  fenced:
    certificates: [cn:fenced]
    pools: [forks]
  readers:
    certificates: [cn:reader]
    allow: [ListWorkers, Info, DiskUsage]
`;

const CALLERS = ["fork", "limited", "fenced", "reader", "anybody"] as const;

type CallerName = (typeof CALLERS)[number];

await describeWithLab("a policy, to real buildx", (lab) => {
  const authority = new TestAuthority();
  const gateways = new Gateways();
  let main: LabReplica;
  let forks: LabReplica;
  let folder: string;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    const replicas = await lab().startReplicas(2);
    [main, forks] = replicas as [LabReplica, LabReplica];
    folder = await lab().newFolder();
    await writeFile(join(folder, "ca.pem"), authority.cert);
    for (const name of ["gateway", ...CALLERS]) {
      const { cert, key } = authority.issue({ commonName: name, names: name === "gateway" ? ["gateway.test"] : [] });
      await writeFile(join(folder, `${name}-cert.pem`), cert);
      await writeFile(join(folder, `${name}-key.pem`), key);
    }
    const config = join(folder, "gateway.yaml");
    const pools = [
      "pools:",
      `  main: { servernames: [gateway.test], replicas: ["main=${main.address}"] }`,
      `  forks: { replicas: ["forks=${forks.address}"] }`,
    ];
    await writeFile(config, pools.join("\n") + POLICY);
    gateway = await gateways.start({
      until: "serving",
      flags: [
        `--config=${config}`,
        ...["--tls-cert", pem("gateway-cert"), "--tls-key", pem("gateway-key"), "--tls-client-ca", pem("ca")],
      ],
    });
  });
  afterAll(() => gateways.kill());

  function pem(name: string): string {
    return join(folder, `${name}.pem`);
  }

  function builder(caller: CallerName, version: BuildxVersion): Promise<Buildx> {
    const own = { cert: pem(`${caller}-cert`), key: pem(`${caller}-key`) };
    return lab().createBuilder({
      version,
      address: gateway.address,
      driverOpts: { cacert: pem("ca"), ...own, servername: "gateway.test" },
    });
  }

  async function build(buildx: Buildx, flags: readonly string[] = []): Promise<CommandResult> {
    const context = await makeBuildContext(
      { newFolder: () => lab().newFolder(), busybox: lab().tools.busybox },
      `RUN --network=none echo ${Math.random()}\n`,
    );
    return await buildx.run(["build", "--output=type=cacheonly", ...flags, context]);
  }

  function expectRefused({ exitCode, stderr }: CommandResult, rule: string, what: string): void {
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(`policy rule "${rule}" does not allow ${what}`);
  }

  describe.each(BUILDX_VERSIONS)("buildx %s", (version) => {
    test("sends builds to the pool of their own, where they run", async () => {
      const [before, beforeMain] = await Promise.all([forks.control.buildRefs(), main.control.buildRefs()]);
      const { exitCode, stderr } = await build(await builder("fork", version));
      expect(exitCode, stderr).toBe(0);
      expect(await forks.control.buildRefs()).toHaveLength(before.length + 1);
      expect(await main.control.buildRefs()).toEqual(beforeMain);
    });

    test("keeps a refused RPC from the replica, and lets others call it", async () => {
      const fork = await builder("fork", version);
      expectRefused(await fork.run(["prune", "-af"]), "forks", "Prune");
      expect(gateway.lines.of("client refused", { rule: "forks", certificate: "cn:fork" }).length).toBeGreaterThan(0);
      const direct = await lab().createBuilder({ version, address: forks.address });
      expect((await direct.mustRun(["du"])).stdout).not.toMatch(/^Total:\s+0B/m);

      const anybody = await builder("anybody", version);
      expect((await build(anybody)).exitCode).toBe(0);
      expect((await anybody.mustRun(["prune", "-af"])).stdout).toMatch(/^Total:/m);
    });

    test("refuses an entitlement that is not granted, and lets a build without any pass", async () => {
      const refs = await forks.control.buildRefs();
      const flags = ["--allow=network.host", "--network=host"];
      const fork = await builder("fork", version);
      expectRefused(await build(fork, flags), "forks", "entitlement network.host");
      expect(await forks.control.buildRefs()).toEqual(refs);
      expect((await build(fork)).exitCode).toBe(0);
      const granted = await build(await builder("limited", version), flags);
      expect(granted.exitCode, granted.stderr).toBe(0);
    });

    test("lets no client into a pool that is not for it", async () => {
      const refs = await main.control.buildRefs();
      expectRefused(await build(await builder("fenced", version)), "fenced", "pool main");
      expect(await main.control.buildRefs()).toEqual(refs);
    });

    test("lets those who may look only look", async () => {
      const reader = await builder("reader", version);
      expectRefused(await build(reader), "readers", "S");
      expect((await reader.run(["du"])).exitCode).toBe(0);
      expect((await reader.run(["inspect"])).stdout).toMatch(/^Status: +running$/m);
    });

    test("makes builds wait beyond the most that their caller may run at once", async () => {
      const limited = await builder("limited", version);
      const gate = new Gate(lab());
      try {
        const flags = ["--progress=plain"];
        const runs = [
          await gate.start({ buildx: limited, repository: "acme/a", label: `${version} a`, flags }),
          await gate.start({ buildx: limited, repository: "acme/b", label: `${version} b`, flags }),
        ];
        await pollUntil("one to run and one to wait", async () => {
          const { queued } = await gateway.load();
          return queued === 1 && (await gate.waiting()) === 1;
        });
        const other = await build(await builder("anybody", version));
        expect(other.exitCode, other.stderr).toBe(0);
        gate.open();
        const outcomes = await Promise.all(runs.map(({ ended }) => ended));
        for (const { exitCode, stderr } of outcomes) expect(exitCode, stderr).toBe(0);
        const texts = outcomes.map(({ stderr }) => stderr).join("\n");
        expect(texts).toContain("1 build of it running already (a policy rule's maxBuilds)");
      } finally {
        gate.remove();
      }
    });
  });

  test("keeps records of builds from being deleted, but not from being pinned", async () => {
    const version = BUILDX_VERSIONS[0]!;
    const fork = await builder("fork", version);
    expect((await build(fork)).exitCode).toBe(0);
    const refs = await forks.control.buildRefs();
    expectRefused(await fork.run(["history", "rm", "--all"]), "forks", "UpdateBuildHistory.Delete");
    expect(await forks.control.buildRefs()).toEqual(refs);
  });
});
