import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { GatewayStatus } from "../../src/admin/gateway-status.ts";
import type { BuildxRun } from "../support/builds/buildx-run.ts";
import { Gate } from "../support/builds/gate.ts";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

const BUILDS = 12;

/** More than enough for both workers to have some. */
const MAX_GATED_BUILDS = 10;

vi.setConfig({ testTimeout: 180_000 });

/** What `/status` says of several workers. */
type Status = GatewayStatus & {
  readonly workers: readonly { readonly worker: number; readonly pid: number; readonly connections: number }[];
};

await describeWithLab("two worker processes behind one address", (lab) => {
  let replicas: readonly LabReplica[];
  let gateway: GatewayProcess;

  beforeAll(async () => {
    replicas = await lab().startReplicas(2);
    const socket = `unix://${await lab().newFolder()}/gw.sock`;
    gateway = await GatewayProcess.start({
      replicas,
      flags: [`--listen=${socket}`, "--workers=2", "--drain-delay=0s"],
    });
    await pollUntil("both to know the replicas", async () => (await gateway.load()).readyReplicas === 2);
  });
  afterAll(() => gateway?.kill());

  const status = async (): Promise<Status> => JSON.parse((await gateway.ask("/status")).text);

  /** Numbers of the workers that have had the builds that have ended. */
  const endedBy = () => gateway.lines.of("build ended").map(({ worker }) => worker);

  /** How many builds have ended so, by the merged metrics. */
  async function counted(result: string): Promise<number> {
    const { text } = await gateway.ask("/metrics");
    const lines = text.split("\n").filter((line) => /^bkgw_builds_total\{/.test(line));
    const values = lines.filter((line) => line.includes(`result="${result}"`)).map((line) => line.split(" ").at(-1));
    return values.reduce((sum, value) => sum + Number(value), 0);
  }

  test(`${BUILDS} builds at once, of several repositories, all succeed, in both workers, and are told as those of one gateway`, async () => {
    await Promise.all(
      Array.from({ length: BUILDS }, async (_, index) => {
        const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
        const address = gateway.addresses[index % gateway.addresses.length]!;
        const buildx = await lab().createBuilder({ version, address });
        const folder = await checkOut(lab(), buildx, `acme/workers-${index % 4}`);
        await buildAndLocate(lab(), buildx, folder, replicas);
      }),
    );
    const { ended, pools, traffic, isReady } = await status();
    expect(ended.length).toBe(BUILDS);
    expect(new Set(endedBy())).toEqual(new Set([1, 2]));
    console.log(`builds by worker: ${[1, 2].map((worker) => endedBy().filter((by) => by === worker).length)}`);
    expect(await counted("succeeded")).toBe(BUILDS);
    expect(pools).toMatchObject([{ queued: 0, replicaCount: 2, readyReplicas: 2 }]);
    expect(traffic.accepted).toBeGreaterThanOrEqual(BUILDS);
    expect(isReady).toBe(true);
    for (const path of ["/healthz", "/readyz", "/debug/health", "/drain", "/explain?key=a", "/"]) {
      expect(await gateway.ask(path)).toMatchObject({ status: 200 });
    }
  });

  test("a worker that is killed takes its own builds with it alone and is replaced, and SIGTERM lets all builds end", async () => {
    const gate = new Gate(lab());
    const start = async (label: string): Promise<BuildxRun> => {
      const buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      return await gate.start({ buildx, repository: "acme/killed", label });
    };
    const untilAllRun = (count: number) =>
      pollUntil(`${count} builds to run`, async () => (await gate.waiting()) === count, { timeoutMs: 60_000 });
    try {
      const before = await counted("succeeded");
      const runs: BuildxRun[] = [];
      let told = await status();
      while (!told.workers.every(({ connections }) => connections > 0) && runs.length < MAX_GATED_BUILDS) {
        runs.push(await start(`${runs.length}`));
        await untilAllRun(runs.length);
        told = await status();
      }
      const all = runs.length;
      console.log(`builds at once: ${all}, clients by worker: ${told.workers.map(({ connections }) => connections)}`);
      expect(told.running.length).toBe(all);

      const victim = told.workers[1]!;
      const from = gateway.lines.all.length;
      process.kill(victim.pid, "SIGKILL");
      await gateway.lines.next("worker has died", { worker: victim.worker }, from);
      await gateway.lines.next("worker serves", { worker: victim.worker }, from);
      await pollUntil("the builds of the other alone to run", async () => {
        const left = (await status()).running.length;
        return left > 0 && left < all && (await gate.waiting()) === left;
      });
      const left = (await status()).running.length;
      expect(await counted("succeeded")).toBe(before);
      runs.push(await start("after"));
      await untilAllRun(left + 1);

      gateway.signal("SIGTERM");
      await gateway.lines.next("draining");
      await pollUntil("it to say that it drains", async () => (await gateway.readyz()).status === 503);
      gate.open();
      const outcomes = await Promise.all(runs.map(({ ended }) => ended));
      expect(outcomes.filter(({ exitCode }) => exitCode === 0).length).toBe(left + 1);
      expect(await gateway.exited).toBe(0);
    } finally {
      gate.remove();
    }
  });
});
