import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

await describeWithLab(
  "kill -9 of a replica in the middle of a build",
  (lab) => {
    let replicas: readonly LabReplica[];
    let gateway: GatewayProcess;

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
      gateway = await GatewayProcess.start({ replicas });
    });
    afterAll(() => gateway?.kill());

    test.for(BUILDX_VERSIONS)("ends that build at once, and the next goes elsewhere: buildx %s", async (version) => {
      const repository = `acme/killed-${version}`;
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      const build = await RunningBuild.start({ lab: lab(), buildx, replicas, repository });
      const bystander = await RunningBuild.start({ lab: lab(), buildx, replicas, repository: await elsewhere(build) });

      const killedMs = performance.now();
      await build.replica.kill9();
      const { exitCode, stderr } = await build.ended;
      const endedMs = performance.now() - killedMs;
      expect(exitCode).toBe(1);
      expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
        new RegExp(`^ERROR: .*failed to solve: Unavailable: replica ${build.replica.name} went away: `),
      );
      expect(endedMs).toBeLessThan(30_000);

      const folder = await checkOut(lab(), buildx, repository);
      const survivors = replicas.filter((replica) => replica !== build.replica);
      const next = await buildAndLocate(lab(), buildx, folder, survivors);
      expect(await bystander.finish()).toMatchObject({ exitCode: 0 });

      const from = gateway.lines.all.length;
      await build.replica.restart();
      const returnedMs = performance.now();
      await gateway.lines.next("replica state changed", { replica: build.replica.name, to: "ready" }, from);
      const readmittedMs = performance.now() - returnedMs;
      const last = await buildAndLocate(lab(), buildx, folder, replicas);
      // Its cache is where it was built meanwhile.
      expect(last.replica.name).toBe(next.replica.name);
      console.log(
        `buildx ${version}: ended ${endedMs.toFixed(0)} ms after the kill; next build ${next.result.durationMs.toFixed(0)} ms` +
          ` on ${next.replica.name}; ready again ${readmittedMs.toFixed(0)} ms after its return`,
      );

      /** A repository that another replica prefers. */
      async function elsewhere({ replica }: RunningBuild): Promise<string> {
        for (let index = 0; ; index++) {
          const candidate = `acme/bystander-${version}-${index}`;
          const checkout = await checkOut(lab(), buildx, candidate);
          if ((await buildAndLocate(lab(), buildx, checkout, replicas)).replica !== replica) return candidate;
        }
      }
    });
  },
  { ownReplicas: true },
);
