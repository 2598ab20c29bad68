import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { connectionsTo } from "../support/lab/open-connections.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

await describeWithLab(
  "a client that is killed in the middle of a build",
  (lab) => {
    let replicas: readonly LabReplica[];
    let gateway: GatewayProcess;

    beforeAll(async () => {
      replicas = await lab().startReplicas(2);
      gateway = await GatewayProcess.start({ replicas });
    });
    afterAll(() => gateway?.kill());

    const connections = async () => {
      const counts = await Promise.all(replicas.map(({ address }) => connectionsTo(portOf(address), gateway.pid)));
      return counts.reduce((sum, count) => sum + count, 0);
    };

    test.for(BUILDX_VERSIONS)("leaves no work and no connection behind: buildx %s", async (version) => {
      const before = await connections();
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      const build = await RunningBuild.start({ lab: lab(), buildx, replicas, signal: "SIGKILL" });
      expect(await connections()).toBeGreaterThan(before);

      expect((await build.endClient()).exitCode).toBe(128 + 9);
      const killedMs = performance.now();
      await pollUntil("the replica to stop working", async () => !(await build.isWorkedOn()));
      const stoppedMs = performance.now() - killedMs;
      await pollUntil("the gateway to close its connections", async () => (await connections()) === before);
      const isIdle = async () => (await build.replica.control.activeRefs()).length === 0;
      await pollUntil("the replica to give the build up", isIdle);
      console.log(`buildx ${version}: the step had ended ${stoppedMs.toFixed(0)} ms after its client`);
    });
  },
  { ownReplicas: true },
);

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}
