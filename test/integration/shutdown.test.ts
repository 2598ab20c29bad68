import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

// A gateway that never ends is a failure, too.
vi.setConfig({ testTimeout: 120_000 });

await describeWithLab(
  "SIGTERM",
  (lab) => {
    let replicas: readonly LabReplica[];
    const gateways: GatewayProcess[] = [];

    beforeAll(async () => {
      replicas = await lab().startReplicas(1);
    });
    afterEach(async () => {
      for (const gateway of gateways.splice(0)) await gateway.kill();
    });

    async function startGateway(flags: readonly string[] = ["--drain-delay=0s"]): Promise<GatewayProcess> {
      const gateway = await GatewayProcess.start({ replicas, flags });
      gateways.push(gateway);
      return gateway;
    }

    /** Through `gateway`, one build for each version of buildx. */
    async function startBuilds(gateway: GatewayProcess): Promise<RunningBuild[]> {
      const { address } = gateway;
      return await Promise.all(
        BUILDX_VERSIONS.map(async (version) => {
          const buildx = await lab().createBuilder({ version, address });
          return await RunningBuild.start({ lab: lab(), buildx, replicas });
        }),
      );
    }

    test("lets running builds finish, takes no new connection, and ends with status 0", async () => {
      const gateway = await startGateway();
      const builds = await startBuilds(gateway);

      gateway.signal("SIGTERM");
      await gateway.lines.next("draining");
      await pollUntil("connections to be refused", () => isRefused(portOf(gateway)));
      expect(await gateway.readyz()).toEqual({ status: 503, text: expect.stringContaining("draining") });
      for (const build of builds) expect(await build.isWorkedOn()).toBe(true);

      for (const build of builds) expect(await build.finish()).toMatchObject({ exitCode: 0 });
      const finishedMs = performance.now();
      expect(await gateway.exited).toBe(0);
      console.log(`the gateway ended ${(performance.now() - finishedMs).toFixed(0)} ms after its last build`);
    });

    test("goes on taking connections for the delay that load balancers need, though it is not ready any more", async () => {
      const gateway = await startGateway(["--drain-delay=1h"]);
      gateway.signal("SIGTERM");
      await gateway.lines.next("draining");
      expect(await gateway.readyz()).toEqual({ status: 503, text: expect.stringContaining("draining") });
      for (const build of await startBuilds(gateway)) expect(await build.finish()).toMatchObject({ exitCode: 0 });
      gateway.signal("SIGTERM");
      expect(await gateway.exited).toBe(1);
    });

    test("ends an idle gateway at once", async () => {
      const gateway = await startGateway();
      const buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      await buildx.mustRun(["inspect"]);
      const signalledMs = performance.now();
      expect(await gateway.terminate()).toBe(0);
      console.log(`an idle gateway ended ${(performance.now() - signalledMs).toFixed(0)} ms after SIGTERM`);
    });

    test("the second time ends builds too, with status 1, and their users are told", async () => {
      const gateway = await startGateway();
      const builds = await startBuilds(gateway);

      gateway.signal("SIGTERM");
      await gateway.lines.next("draining");
      gateway.signal("SIGTERM");
      expect(await gateway.exited).toBe(1);
      for (const build of builds) {
        await expectStopped(build);
      }
    });

    test("ends builds that run longer than the grace period, with status 0, and their users are told", async () => {
      const gateway = await startGateway(["--drain-delay=0s", "--grace=1s"]);
      const builds = await startBuilds(gateway);
      expect(await gateway.terminate()).toBe(0);
      for (const build of builds) {
        await expectStopped(build);
      }
    });
  },
  { ownReplicas: true },
);

/** Its user is told why it ended, and its replica works on it no more. */
async function expectStopped(build: RunningBuild): Promise<void> {
  const { exitCode, stderr } = await build.ended;
  expect(exitCode).toBe(1);
  const lastLine = stderr.trimEnd().split("\n").at(-1);
  expect(lastLine).toMatch(/^ERROR: .*failed to solve: Unavailable: the gateway has been stopped$/);
  await pollUntil("the replica to stop working", async () => !(await build.isWorkedOn()));
}

/** Whether nobody takes a connection there. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

function portOf({ address }: GatewayProcess): number {
  return Number(address.split(":").at(-1));
}
