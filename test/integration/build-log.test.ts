import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import type { Buildx } from "../support/lab/buildx.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

await describeWithLab(
  "the log line of a build's end",
  (lab) => {
    const gateways = new Gateways();
    let replicas: readonly LabReplica[];
    let gateway: GatewayProcess;

    beforeAll(async () => {
      replicas = await lab().startReplicas(1);
      gateway = await gateways.start({
        replicas,
        flags: ["--max-builds=1", "--queue-timeout=3s"],
        env: { BUILDKIT_GATEWAY_QUEUE_BUILDS: "1" },
      });
    });
    afterAll(() => gateways.kill());

    test.for(BUILDX_VERSIONS)("says how it ended, each way that there is: buildx %s", async (version) => {
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      const replica = replicas[0]!.name;
      const start = (signal?: NodeJS.Signals) =>
        RunningBuild.start({
          lab: lab(),
          buildx,
          replicas,
          repository: `acme/log-${version}`,
          ...(signal && { signal }),
        });
      const lineOf = async (action: () => Promise<unknown>) => {
        const from = gateway.lines.all.length;
        await action();
        return await gateway.lines.next("build ended", {}, from);
      };
      const key = `git.invalid/acme/log-${version}`;
      const ran = {
        replica,
        key,
        waitedMs: expect.any(Number),
        ranMs: expect.any(Number),
        buildRef: expect.any(String),
        // Its client sends at least the context and hears at least the progress.
        receivedBytes: expect.toSatisfy((bytes: number) => bytes > 1_000),
        sentBytes: expect.toSatisfy((bytes: number) => bytes > 1_000),
      };

      const succeeded = await lineOf(async () => (await start()).finish());
      expect(succeeded).toMatchObject({ ...ran, outcome: "succeeded", reason: "preferred" });
      const { cached, completed, total } = succeeded.steps as Record<string, number>;
      expect(total).toBeGreaterThan(1);
      expect(completed! + cached!).toBeGreaterThan(0);

      const failed = await lineOf(() => buildNothing(buildx, "missing-file"));
      expect(failed).toMatchObject({ replica, outcome: "failed" });
      // What a build says may hold secrets.
      expect(JSON.stringify(failed)).not.toContain("missing-file");

      const cancelled = await lineOf(async () => (await start()).endClient());
      expect(cancelled).toMatchObject({ ...ran, outcome: "cancelled", reason: "warm" });

      const holding = await start();
      const timedOut = await lineOf(() => buildNothing(buildx, "waits"));
      expect(timedOut).toMatchObject({ outcome: "refused", ranMs: 0, sentBytes: 0 });
      expect(timedOut).not.toHaveProperty("replica");
      expect(timedOut.waitedMs as number).toBeGreaterThan(2_900);

      const waiting = buildNothing(buildx, "fills the queue");
      await gateway.lines.next("build waits", {}, gateway.lines.all.length - 1);
      const refused = await lineOf(() => buildNothing(buildx, "too many"));
      expect(refused).toMatchObject({ outcome: "refused", ranMs: 0 });
      expect(refused.waitedMs as number).toBeLessThan(3_000);
      await waiting;

      const lost = await lineOf(async () => {
        await replicas[0]!.kill9();
        await holding.ended;
      });
      expect(lost).toMatchObject({ ...ran, outcome: "lost", reason: "warm" });
      const from = gateway.lines.all.length;
      await replicas[0]!.restart();
      await gateway.lines.next("replica state changed", { to: "ready" }, from);
    });

    /** A build of a file that is not there: it fails as soon as it runs. */
    async function buildNothing(buildx: Buildx, file: string): Promise<void> {
      const folder = await lab().newFolder();
      await writeFile(join(folder, "Dockerfile"), `FROM scratch\nCOPY ["${file}", "/"]\n`);
      const { exitCode } = await buildx.run(["build", "--output=type=cacheonly", "."], { cwd: folder });
      expect(exitCode).not.toBe(0);
    }
  },
  { ownReplicas: true },
);
