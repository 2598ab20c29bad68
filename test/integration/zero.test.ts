import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test, vi } from "vitest";
import { writeBakeFile } from "../support/builds/bake-file.ts";
import { BuildxRun } from "../support/builds/buildx-run.ts";
import { RUNNING_ON, WAITS } from "../support/builds/queue-lines.ts";
import { checkOut } from "../support/builds/repository.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";

vi.setConfig({ maxConcurrency: 10 });

/** About what a pod needs from being wanted to being ready; longer than the 20 s in which buildx wants its builder up. */
const WAKING_MS = 40_000;

const COMMANDS = ["build", "bake"] as const;

await describeWithLab(
  "a fleet of none",
  (lab) => {
    const gateways = new Gateways();
    afterAll(() => gateways.kill());

    async function start(command: (typeof COMMANDS)[number], version: BuildxVersion, { address }: GatewayProcess) {
      const buildx = await lab().createBuilder({ version, address });
      const folder = await checkOut(lab(), buildx, `acme/${command}-${version}`);
      await writeBakeFile(folder, ["one", "two"]);
      const args = command === "build" ? ["build", "--output=type=cacheonly", "."] : ["bake"];
      return new BuildxRun(buildx, args, { cwd: folder, timeoutMs: 240_000 });
    }

    /** Builds and bakes of both versions wait; after a while the replica comes, and they succeed. */
    async function expectWaking(gateway: GatewayProcess, replica: LabReplica): Promise<void> {
      const runs = await Promise.all(
        COMMANDS.flatMap((command) => BUILDX_VERSIONS.map((version) => start(command, version, gateway))),
      );
      for (const run of runs) {
        await run.says(WAITS);
        await run.says(new RegExp(`no replica .*${replica.name}: `));
      }
      await pollUntil("all to wait", async () => (await gateway.load()).queued === runs.length, { timeoutMs: 60_000 });
      expect(await gateway.load()).toMatchObject({ queued: runs.length, running: 0, readyReplicas: 0, wanted: 1 });
      expect(await gateway.readyz()).toMatchObject({ status: 200 });
      for (const version of BUILDX_VERSIONS) {
        const buildx = await lab().createBuilder({ version, address: gateway.address });
        const inspected = await buildx.mustRun(["inspect", "--bootstrap"]);
        expect(inspected.stdout).toMatch(/^Status: +running$/m);
        expect((await buildx.mustRun(["ls"])).stdout).toMatch(/running/);
      }
      await delay(WAKING_MS);
      await replica.restart();
      for (const run of runs) {
        const { exitCode, stderr } = await run.ended;
        expect(exitCode, stderr).toBe(0);
        expect(RUNNING_ON.exec(stderr)?.[1]).toBe(replica.name);
      }
    }

    test.concurrent("lets builds wait for the first replica that the gateway ever sees", async () => {
      const [replica] = (await lab().startReplicas(1)) as [LabReplica];
      await replica.kill9();
      const gateway = await gateways.start({ replicas: [replica], until: "serving", flags: ["--max-builds=8"] });
      await expectWaking(gateway, replica);
    });

    test.concurrent("lets builds wait for one that it has known to come back", async () => {
      const [replica] = (await lab().startReplicas(1)) as [LabReplica];
      const gateway = await gateways.start({ replicas: [replica], flags: ["--max-builds=8"] });
      await replica.stop();
      await gateway.lines.next("replica state changed", { replica: replica.name, to: "ejected" });
      await expectWaking(gateway, replica);
    });
  },
  { ownReplicas: true },
);
