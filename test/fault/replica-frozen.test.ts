import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import type { Buildx } from "../support/lab/buildx.ts";
import type { CommandResult } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";

const REPOSITORY = "acme/frozen";

await describeWithLab(
  "a replica that stops answering and keeps its port open",
  (lab) => {
    let replicas: readonly LabReplica[];
    let buildx: Buildx;
    let gateway: GatewayProcess;
    let folder: string;
    /** Where the repository's cache is. */
    let home: LabReplica;

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
      gateway = await GatewayProcess.start({
        replicas,
        env: { BUILDKIT_GATEWAY_HEALTH_INTERVAL: "250ms", BUILDKIT_GATEWAY_LIMITS_CONNECT_TIMEOUT: "3s" },
      });
      buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      folder = await checkOut(lab(), buildx, REPOSITORY);
      home = (await buildAndLocate(lab(), buildx, folder, replicas)).replica;
    });
    afterAll(() => gateway?.kill());

    const until = (replica: LabReplica, to: string, from: number) =>
      gateway.lines.next("replica state changed", { replica: replica.name, to }, from);

    test("costs a build only the time to connect, and gets no other until it thaws", async () => {
      const frozen = home;
      const others = replicas.filter((replica) => replica !== frozen);
      const from = gateway.lines.all.length;
      await frozen.freeze();
      try {
        const first = await buildAndLocate(lab(), buildx, folder, others);
        const { reason } = await until(frozen, "ejected", from);
        const second = await buildAndLocate(lab(), buildx, folder, others);
        expect(second.replica).toBe(first.replica);
        console.log(`build while it froze ${ms(first.result)} (${reason}), the next one ${ms(second.result)}`);
        home = first.replica;
      } finally {
        await frozen.thaw();
      }
      await until(frozen, "ready", from);
      expect((await buildAndLocate(lab(), buildx, folder, replicas)).replica).toBe(home);
    });

    test("is put out by its health checks; the build that it runs goes on when it thaws", async () => {
      const frozen = home;
      const others = replicas.filter((replica) => replica !== frozen);
      const from = gateway.lines.all.length;
      const running = await RunningBuild.start({ lab: lab(), buildx, replicas, repository: REPOSITORY });
      expect(running.replica).toBe(frozen);
      await frozen.freeze();
      try {
        expect((await until(frozen, "ejected", from)).reason).toMatch(/no answer|[Dd]eadline|within/);
        const build = await buildAndLocate(lab(), buildx, folder, others);
        console.log(`build after it was put out ${ms(build.result)}`);
        home = build.replica;
      } finally {
        await frozen.thaw();
      }
      const thawedMs = performance.now();
      await until(frozen, "ready", from);
      console.log(`ready again ${(performance.now() - thawedMs).toFixed(0)} ms after the thaw`);
      expect((await buildAndLocate(lab(), buildx, folder, replicas)).replica).toBe(home);
      expect(await running.finish()).toMatchObject({ exitCode: 0 });
    });

    test("ends the build that it runs where it stays frozen for longer than health.frozenAfter", async () => {
      const other = await GatewayProcess.start({
        replicas,
        env: {
          BUILDKIT_GATEWAY_HEALTH_INTERVAL: "250ms",
          BUILDKIT_GATEWAY_HEALTH_TIMEOUT: "500ms",
          BUILDKIT_GATEWAY_HEALTH_FROZEN_AFTER: "2s",
        },
      });
      try {
        const builder = await lab().createBuilder({ version: "0.29", address: other.address });
        const running = await RunningBuild.start({ lab: lab(), buildx: builder, replicas, repository: "acme/lost" });
        const frozenMs = performance.now();
        await running.replica.freeze();
        try {
          const { exitCode, stderr } = await running.finish();
          expect(exitCode).toBe(1);
          expect(stderr).toMatch(
            new RegExp(
              `Unavailable: replica ${running.replica.name} went away: silent for 2s \\(health.frozenAfter\\)`,
            ),
          );
          console.log(`lost ${(performance.now() - frozenMs).toFixed(0)} ms after it froze`);
        } finally {
          await running.replica.thaw();
        }
      } finally {
        await other.kill();
      }
    });
  },
  { ownReplicas: true },
);

function ms({ durationMs }: CommandResult): string {
  return `${durationMs.toFixed(0)} ms`;
}
