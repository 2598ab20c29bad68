import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Buildx, DriverOpts } from "../support/lab/buildx.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import { DaemonClient } from "../support/lab/daemon-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

const ARCHITECTURES = ["amd64", "arm64"] as const;

type Architecture = (typeof ARCHITECTURES)[number];

// Nothing runs, so one architecture can stand for another.
const DOCKERFILE = `FROM scratch
ARG TARGETARCH
COPY built-for-$TARGETARCH /file
`;

await describeWithLab(
  "two pools of one gateway",
  (lab) => {
    const gateways = new Gateways();
    let gateway: GatewayProcess;
    /** Replicas have the same names in both pools. */
    let fleets: Readonly<Record<Architecture, readonly LabReplica[]>>;
    let tlsFiles: { readonly cacert: string };

    beforeAll(async () => {
      fleets = { amd64: await lab().startReplicas(2), arm64: await lab().startReplicas(2) };
      const folder = await lab().newFolder();
      const authority = new TestAuthority();
      const server = authority.issue({ commonName: "gateway", names: ARCHITECTURES.map((name) => `${name}.test`) });
      const files = { cert: server.cert, key: server.key, cacert: authority.cert };
      for (const [name, pem] of Object.entries(files)) await writeFile(join(folder, name), pem);
      tlsFiles = { cacert: join(folder, "cacert") };
      const pool = (name: Architecture) => [
        `  ${name}:`,
        `    listen: ["tcp://127.0.0.1:0"]`,
        `    servernames: [${name}.test]`,
        `    platforms: [linux/${name}]`,
        "    replicas:",
        ...fleets[name].map((replica) => `      - { name: ${replica.name}, address: "${replica.address}" }`),
      ];
      const config = join(folder, "gateway.yaml");
      await writeFile(config, ["pools:", ...ARCHITECTURES.flatMap(pool), ""].join("\n"));
      gateway = await gateways.start({
        until: "serving",
        flags: [`--config=${config}`, `--tls-cert=${join(folder, "cert")}`, `--tls-key=${join(folder, "key")}`],
      });
    });
    afterAll(() => gateways.kill());

    /** Build for both architectures with both nodes of the builder. */
    async function buildForBoth(buildx: Buildx): Promise<void> {
      const folder = await lab().newFolder();
      await writeFile(join(folder, "Dockerfile"), DOCKERFILE);
      for (const name of ARCHITECTURES) await writeFile(join(folder, `built-for-${name}`), `for ${name} ${folder}`);
      const platforms = ARCHITECTURES.map((name) => `linux/${name}`).join(",");
      const known = await refsByPool();
      await buildx.mustRun(["build", `--platform=${platforms}`, "--output=out", "--metadata-file=metadata", "."], {
        cwd: folder,
      });
      for (const name of ARCHITECTURES) {
        const built = await readFile(join(folder, "out", `linux_${name}`, "file"), "utf8");
        expect(built).toBe(`for ${name} ${folder}`);
      }
      const now = await refsByPool();
      const added = ARCHITECTURES.map((name) => now[name].filter((ref) => !known[name].includes(ref)));
      for (const refs of added) expect(refs).toHaveLength(1);
      // 0.13 gives each node a ref of its own.
      if (buildx.version === "0.29") expect(added[0]).toEqual(added[1]);
    }

    async function refsByPool(): Promise<Record<Architecture, string[]>> {
      const refs = async (name: Architecture) =>
        (await Promise.all(fleets[name].map(({ control }) => control.buildRefs()))).flat();
      return { amd64: await refs("amd64"), arm64: await refs("arm64") };
    }

    test.for(BUILDX_VERSIONS)(
      "one builder over both, by their addresses, one ref on both: buildx %s",
      async (version) => {
        const [, amd64, arm64] = gateway.addresses as [string, string, string];
        const buildx = await lab().createBuilder({ version, address: amd64 });
        await buildx.appendNode({ name: "arm64", platform: "linux/arm64", address: arm64 });
        await buildForBoth(buildx);
        await buildForBoth(buildx);
      },
    );

    test.for(BUILDX_VERSIONS)("one builder over both, by their names on one address: buildx %s", async (version) => {
      const { address } = gateway;
      const opts = (name: Architecture): DriverOpts => ({ ...tlsFiles, servername: `${name}.test` });
      const buildx = await lab().createBuilder({ version, address, driverOpts: opts("amd64") });
      // Two nodes of a builder cannot have one endpoint, so the other's is written in another way.
      await buildx.appendNode({
        name: "arm64",
        platform: "linux/arm64",
        address: address.replace("127.0.0.1", "localhost"),
        driverOpts: opts("arm64"),
      });
      await buildForBoth(buildx);
    });

    test("neither pool shows, reads or deletes what only the other has built", async () => {
      const [, amd64, arm64] = gateway.addresses as [string, string, string];
      const buildx = await lab().createBuilder({ version: "0.29", address: amd64 });
      const folder = await lab().newFolder();
      await writeFile(join(folder, "Dockerfile"), DOCKERFILE);
      await writeFile(join(folder, "built-for-amd64"), folder);
      const before = await refsByPool();
      await buildx.mustRun(["build", "--output=type=cacheonly", "."], { cwd: folder });
      const after = await refsByPool();
      expect(after.arm64).toEqual(before.arm64);
      const added = after.amd64.filter((ref) => !before.amd64.includes(ref));
      expect(added).toHaveLength(1);
      const ref = added[0]!;
      const clients = [new DaemonClient(amd64), new DaemonClient(arm64)] as const;
      const [own, other] = clients;
      const refsAt = async (client: DaemonClient) =>
        (await client.listHistory()).map(({ record }) => record!.Ref).sort();
      try {
        expect(await refsAt(own)).toEqual(after.amd64.toSorted());
        expect(await refsAt(other)).toEqual(after.arm64.toSorted());
        expect(await other.listHistory({ Ref: ref })).toEqual([]);
        const [event] = await own.listHistory({ Ref: ref });
        const { digest } = event!.record!.logs!;
        expect((await own.readContent(digest)).length).toBeGreaterThan(0);
        await expect(other.readContent(digest)).rejects.toMatchObject({ code: status.NOT_FOUND });
        const change = { Ref: ref, Delete: true };
        await expect(other.updateHistory(change)).rejects.toMatchObject({ code: status.NOT_FOUND });
        // A ref that both have is deleted in one of them alone.
        const both = before.amd64.find((known) => before.arm64.includes(known))!;
        await other.updateHistory({ Ref: both, Delete: true });
        expect(await refsAt(own)).toEqual(after.amd64.toSorted());
        expect(await refsAt(other)).toEqual(after.arm64.filter((known) => known !== both).sort());
      } finally {
        for (const client of clients) client.close();
      }
    });
  },
  { ownReplicas: true },
);
