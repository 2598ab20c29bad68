import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import { SteadyLoad } from "../support/builds/steady-load.ts";
import { LabCluster, type PodCondition } from "../support/kubernetes/lab-cluster.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import type { LogLine } from "../support/lab/log-lines.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

const ROUNDS = 10;

/** What becomes of a replica whose pod stands like this. */
const STATE_OF = { ready: "ready", unready: "gone", terminating: "draining", gone: "gone" } as const;

await describeWithLab(
  "replicas that are found by their EndpointSlices",
  (lab) => {
    const gateways = new Gateways();
    let replicas: readonly LabReplica[];
    let cluster: LabCluster;

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
    });
    beforeEach(async () => {
      cluster = await LabCluster.start();
    });
    afterEach(async () => {
      await gateways.kill();
      await cluster.close();
    });

    /** A gateway that knows all replicas. */
    async function startKnowing(options: Parameters<Gateways["start"]>[0]): Promise<GatewayProcess> {
      for (const replica of replicas) cluster.set(replica, "ready");
      const gateway = await gateways.start(options);
      for (const { name } of replicas) {
        await gateway.lines.next("replica state changed", { replica: name, to: "ready" });
      }
      return gateway;
    }

    test("come, fall ill, terminate and go for ten rounds: no build breaks, and each is placed on a ready one", async () => {
      const gateway = await startKnowing(cluster.gatewayOptions);
      const { address } = gateway;
      const load = new SteadyLoad({ lab: lab(), address, workers: 2 });
      const latenciesMs: number[] = [];
      const change = async (replica: LabReplica, condition: PodCondition): Promise<void> => {
        const from = gateway.lines.all.length;
        const beganMs = performance.now();
        cluster.set(replica, condition);
        await gateway.lines.next("replica state changed", { replica: replica.name, to: STATE_OF[condition] }, from);
        latenciesMs.push(performance.now() - beganMs);
      };
      const enough = async () => {
        const goal = load.ended + 2;
        await pollUntil("two more builds", async () => load.ended >= goal, { timeoutMs: 120_000 });
      };
      for (let round = 0; round < ROUNDS; round++) {
        const version = BUILDX_VERSIONS[round % BUILDX_VERSIONS.length]!;
        const buildx = await lab().createBuilder({ version, address });
        const occupant = await RunningBuild.start({ lab: lab(), buildx, replicas, repository: `acme/round-${round}` });
        const { replica } = occupant;
        await change(replica, round % 2 === 0 ? "terminating" : "unready");
        await enough();
        if (round % 2 === 0) await change(replica, "gone");
        expect(await occupant.isWorkedOn()).toBe(true);
        expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
        if (round % 2 === 0) cluster.set(replica, "unready");
        await change(replica, "ready");
      }
      const results = await load.stop();
      console.log(
        `${results.length + ROUNDS} builds; from the change to its effect, with the check of a new replica: ` +
          `${Math.max(...latenciesMs).toFixed(0)} ms at most, of ${latenciesMs.length} changes`,
      );
      for (const { exitCode, stderr } of results) expect(exitCode, stderr).toBe(0);
      expect(misplaced(gateway.lines.all)).toEqual([]);
      expect(gateway.lines.of("build placed").length).toBeGreaterThanOrEqual(results.length + ROUNDS);
    });

    test("cannot be listed without a Role: builds wait, their users read why, and it is logged once", async () => {
      cluster.api.forbidden.add("list endpointslices");
      for (const replica of replicas) cluster.set(replica, "ready");
      const options = cluster.gatewayOptions;
      const gateway = await gateways.start({ ...options, flags: [...options.flags, "--queue-timeout=3s"] });
      const buildx = await lab().createBuilder({ version: BUILDX_VERSIONS[0]!, address: gateway.address });
      const folder = await checkOut(lab(), buildx, "acme/denied");
      const { exitCode, stderr } = await buildx.run(["build", "--output=type=cacheonly", folder]);
      expect(exitCode).not.toBe(0);
      const reason =
        /no replica is known: Kubernetes discovery of buildkit\/buildkit-replicas: 403: endpointslices\S+ is forbidden/;
      expect(stderr).toMatch(reason);
      const refusals = gateway.lines.all.filter(({ level }) => level === 50);
      expect(refusals).toHaveLength(1);
      expect(refusals[0]!.role).toContain("kind: RoleBinding");
      cluster.api.forbidden.clear();
      for (const { name } of replicas) {
        await gateway.lines.next("replica state changed", { replica: name, to: "ready" });
      }
      await buildx.mustRun(["build", "--output=type=cacheonly", folder], { cwd: folder });
    });

    test("stay known while the API server is away, by a kubeconfig file, and its age is told", async () => {
      const gateway = await startKnowing(cluster.kubeconfigOptions);
      const { port } = cluster.api;
      await cluster.api.close();
      await gateway.lines.next("watch state changed", { to: "stale" });
      const buildx = await lab().createBuilder({ version: BUILDX_VERSIONS[0]!, address: gateway.address });
      await buildAndLocate(lab(), buildx, await checkOut(lab(), buildx, "acme/away"), replicas);
      const { status, text } = await gateway.ask("/debug/health");
      expect([status, JSON.parse(text)]).toMatchObject([
        200,
        {
          status: "degraded",
          discovery: [{ source: "Kubernetes discovery of buildkit/buildkit-replicas", state: "stale" }],
          replicas: replicas.map(({ name }) => ({ replica: name, state: "ready", nodeName: `node-of-${name}` })),
        },
      ]);
      expect(JSON.parse(text).discovery[0].ageMs).toBeGreaterThan(0);
      const from = gateway.lines.all.length;
      await cluster.api.listen(port);
      cluster.set(replicas[0]!, "terminating");
      await gateway.lines.next("replica state changed", { replica: replicas[0]!.name, to: "draining" }, from);
    });
  },
  { ownReplicas: true },
);

/** Builds that were placed on a replica that was not ready then, by the order of the log. */
function misplaced(lines: readonly LogLine[]): LogLine[] {
  const states = new Map<unknown, unknown>();
  return lines.filter(({ msg, replica, to }) => {
    if (msg === "replica state changed") states.set(replica, to);
    return msg === "build placed" && states.get(replica) !== "ready";
  });
}
