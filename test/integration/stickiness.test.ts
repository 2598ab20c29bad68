import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";
import { shuffled } from "../support/shuffled.ts";

const REPOSITORIES = 10;
const BUILDS_EACH = 4;
/** Builds that run at the same time: fewer than make a replica spill (`placement.loadFloor`). */
const WORKERS = 3;

await describeWithLab(
  "a repository's builds",
  (lab) => {
    let replicas: readonly LabReplica[];
    const gateways: GatewayProcess[] = [];

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
      // Two, that know nothing of each other, and must agree.
      for (let index = 0; index < 2; index++) gateways.push(await GatewayProcess.start({ replicas }));
    });
    afterAll(async () => {
      for (const gateway of gateways) await gateway.kill();
    });

    test("land on one replica: 40 of 10 repositories in random order, through two gateways", async () => {
      const seed = testSeed();
      const order = shuffled(
        Array.from({ length: REPOSITORIES * BUILDS_EACH }, (_, index) => index % REPOSITORIES),
        seededRandom(seed),
      );
      const builtOn = Array.from({ length: REPOSITORIES }, (): string[] => []);
      const queue = order.map((repository, index) => ({ repository, index }));
      const work = async () => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const version = BUILDX_VERSIONS[next.index % BUILDX_VERSIONS.length]!;
          const { address } = gateways[Math.floor(next.index / 2) % gateways.length]!;
          // Each build has a home of its own, as a fresh machine would.
          const buildx = await lab().createBuilder({ version, address });
          const folder = await checkOut(lab(), buildx, `acme/app-${next.repository}`);
          const { replica } = await buildAndLocate(lab(), buildx, folder, replicas);
          builtOn[next.repository]!.push(replica.name);
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, work));

      for (const names of builtOn) expect(names, `${names} (seed ${seed})`).toEqual(Array(BUILDS_EACH).fill(names[0]));
      const owners = builtOn.map(([name]) => name);
      console.log(replicas.map(({ name }) => `${name}: ${owners.filter((owner) => owner === name).length}`).join(", "));
      expect(new Set(owners).size).toBeGreaterThan(1);
    });

    test("spread when there are many at once: 12 of one repository", async () => {
      const builds = await Promise.all(
        Array.from({ length: 12 }, async (_, index) => {
          const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
          const buildx = await lab().createBuilder({ version, address: gateways[0]!.address });
          return await RunningBuild.start({ lab: lab(), buildx, replicas, repository: "acme/busy" });
        }),
      );
      const counts = replicas.map((replica) => builds.filter((build) => build.replica === replica).length);
      console.log(replicas.map(({ name }, index) => `${name}: ${counts[index]}`).join(", "));
      for (const build of builds) expect(await build.finish()).toMatchObject({ exitCode: 0 });
      // Twice the mean of 4, at the most (`placement.loadFactor`).
      expect(Math.max(...counts)).toBeLessThanOrEqual(8);
    });
  },
  { ownReplicas: true },
);
