import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test, vi } from "vitest";
import { writeBakeFile } from "../support/builds/bake-file.ts";
import { BuildxRun } from "../support/builds/buildx-run.ts";
import { Gate } from "../support/builds/gate.ts";
import { mostAtOnce } from "../support/builds/overlap.ts";
import { POSITION, position, positionsIn, QUEUE_VERTEX, RUNNING_ON, WAITS } from "../support/builds/queue-lines.ts";
import { checkOut } from "../support/builds/repository.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { BAKE_LINKED_STORY, BAKE_SHARED_STORY } from "../support/stories/bake.ts";
import { rawVertexes } from "../support/stories/raw-progress.ts";
import { tellStory } from "../support/stories/story.ts";

// All side by side with the one that waits for minutes.
vi.setConfig({ maxConcurrency: 20 });

/** As long as somebody may wait for a colleague's build to end; a client's own limits are 10, 15, 20 and 24 s. */
const LONG_WAIT_MS = 180_000;

/** More than a client of these tests can take while it waits and after. */
const LONG_TIMEOUT_MS = LONG_WAIT_MS + 300_000;

const UNTIL_QUEUED = { timeoutMs: 240_000, intervalMs: 250 };

await describeWithLab(
  "a full fleet",
  (lab) => {
    const gateways = new Gateways();
    const gates: Gate[] = [];

    afterAll(async () => {
      for (const gate of gates) gate.remove();
      await gateways.kill();
    });

    function makeGate(): Gate {
      const gate = new Gate(lab());
      gates.push(gate);
      return gate;
    }

    /** A gateway, and one replica that takes one build and has it. */
    async function startOccupied(env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
      const [replica] = (await lab().startReplicas(1)) as [LabReplica];
      const gateway = await gateways.start({ replicas: [replica], flags: ["--max-builds=1", ...flags], env });
      const buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      const occupant = await RunningBuild.start({
        lab: lab(),
        buildx,
        replicas: [replica],
        repository: "acme/long",
        timeoutMs: LONG_TIMEOUT_MS,
      });
      return { replica, gateway, occupant };
    }

    /** The `index`th of many builds: clients of both versions, each a machine of its own. */
    async function start(
      gate: Gate,
      { address }: GatewayProcess,
      repository: string,
      index: number,
    ): Promise<BuildxRun> {
      const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
      const buildx = await lab().createBuilder({ version, address });
      return await gate.start({ buildx, repository, label: `build-${index}`, run: { timeoutMs: LONG_TIMEOUT_MS } });
    }

    test.concurrent("takes 60 builds at once: none fails, no replica has more than 4, no repository starves another", async () => {
      const replicas = await lab().startReplicas(3);
      const gateway = await gateways.start({ replicas, flags: ["--max-builds=4"] });
      const gate = makeGate();
      const runs: BuildxRun[] = [];
      const startMany = async (count: number, repository: (index: number) => string, queued: number) => {
        const first = runs.length;
        for (let index = first; index < first + count; index++) {
          runs.push(await start(gate, gateway, repository(index), index));
        }
        await pollUntil(
          `${queued} builds in the queue`,
          async () => (await gateway.load()).queued === queued && (await gate.waiting()) === 12,
          UNTIL_QUEUED,
        );
      };
      await startMany(40, () => "acme/big", 28);
      await startMany(20, (index) => `acme/small-${index % 5}`, 48);
      expect(await gateway.load()).toMatchObject({ queued: 48, running: 12, capacity: 12 });
      // One that runs may have waited for its turn, too, for a moment.
      const waiting = runs.filter(({ output }) => !RUNNING_ON.test(output) && output.includes(QUEUE_VERTEX));
      expect(waiting).toHaveLength(48);
      for (const run of waiting) await run.says(POSITION);

      gate.open();
      for (const run of runs) expect(await run.ended).toMatchObject({ exitCode: 0 });
      const byReplica = await Promise.all(replicas.map(({ control }) => control.builds()));
      const most = byReplica.map(mostAtOnce);
      console.log(`most at once: ${most.join(", ")}; in all ${byReplica.map(({ length }) => length).join(", ")}`);
      for (const count of most) expect(count).toBeLessThanOrEqual(4);

      const order = byReplica.flat().sort((a, b) => a.createdAtMs - b.createdAtMs);
      expect(order).toHaveLength(60);
      const isSmall = order.map(({ attrs }) => /small/.test(attrs["vcs:source"]!));
      const bigsAfterSmalls = isSmall.length - 1 - isSmall.lastIndexOf(true);
      console.log(`${bigsAfterSmalls} builds of the repository with 40 began after all of the others had`);
      expect(bigsAfterSmalls).toBeGreaterThanOrEqual(10);
    });

    test.concurrent("keeps the order of a repository, says each place in it, and closes up when a client leaves", async () => {
      const { replica, gateway, occupant } = await startOccupied();
      const gate = makeGate();
      const runs: BuildxRun[] = [];
      for (let index = 0; index < 5; index++) {
        const run = await start(gate, gateway, "acme/queued", index);
        await run.says(position(index + 1, index + 1));
        runs.push(run);
      }
      const [first, second, third, ...rest] = runs as [BuildxRun, BuildxRun, BuildxRun, ...BuildxRun[]];
      const { exitCode, stderr, signalToExitMs } = await first.interrupt();
      expect(exitCode, stderr).toBeOneOf([130, 1]);
      expect(stderr).toContain("context canceled");
      await second.says(position(1, 4));
      await rest.at(-1)!.says(position(4, 4));
      expect(await gateway.load()).toMatchObject({ queued: 4, running: 1 });
      const left = await third.interrupt();
      await rest.at(-1)!.says(position(3, 3));
      console.log(`Ctrl-C: ended after ${signalToExitMs!.toFixed(0)} and ${left.signalToExitMs!.toFixed(0)} ms`);

      gate.open();
      expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
      for (const run of [second, ...rest]) {
        const ended = await run.ended;
        expect(ended.exitCode, ended.stderr).toBe(0);
        expect(RUNNING_ON.exec(ended.stderr)?.[1]).toBe(replica.name);
        const places = positionsIn(ended.stderr).map(({ place }) => place);
        // Each time further to the front.
        expect(places).toEqual([...places].sort((a, b) => b - a));
      }
      const builds = await replica.control.builds();
      const labels = builds.map(({ attrs }) => attrs["build-arg:LABEL"]).filter((label) => label !== undefined);
      expect(labels).toEqual(["build-1", "build-3", "build-4"]);
      expect(mostAtOnce(builds)).toBe(1);
    });

    test.concurrent("with room for one build: six bakes of linked targets at once, none fails or waits for itself", async () => {
      const replicas = await lab().startReplicas(1);
      const { address } = await gateways.start({ replicas, flags: ["--max-builds=1"] });
      const target = { name: "gateway with room for one", address, replicas };
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          tellStory(BAKE_LINKED_STORY, lab(), target, BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!),
        ),
      );
      for (const outcome of outcomes) expect(outcome).toEqual(BAKE_LINKED_STORY.expected);
    });

    test.concurrent(`lets a client wait for ${LONG_WAIT_MS / 1_000} s, and then succeed`, async () => {
      const { gateway, occupant, replica } = await startOccupied();
      const env = { BUILDKIT_GATEWAY_QUEUE_PROGRESS: "off" };
      const silent = await gateways.start({ replicas: [replica], flags: ["--max-builds=1"], env });
      const gate = makeGate();
      const builds: BuildxRun[] = [];
      for (const door of [gateway, silent]) {
        for (const index of BUILDX_VERSIONS.keys())
          builds.push(await start(gate, door, `acme/patient-${index}`, index));
      }
      const target = { name: "occupied gateway", address: gateway.address, replicas: [replica] };
      const timeoutMs = LONG_TIMEOUT_MS;
      const bakes = BUILDX_VERSIONS.map((version) =>
        tellStory(BAKE_SHARED_STORY, lab(), target, version, { timeoutMs }),
      );
      const allWait = async () => (await gateway.load()).queued === 4 && (await silent.load()).queued === 2;
      await pollUntil("all to wait", allWait, UNTIL_QUEUED);
      const endedEarly = Promise.race([...builds.map(({ ended }) => ended), ...bakes]);
      const early = await Promise.race([endedEarly, delay(LONG_WAIT_MS)]);
      expect(early, "none ends before there is room").toBeUndefined();
      expect(await allWait()).toBe(true);

      gate.open();
      expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
      for (const build of builds) {
        const { exitCode, stderr, durationMs } = await build.ended;
        expect(exitCode, stderr).toBe(0);
        expect(durationMs).toBeGreaterThan(LONG_WAIT_MS);
      }
      for (const bake of bakes) expect(await bake).toEqual(BAKE_SHARED_STORY.expected);
    });

    test.concurrent("holds nothing any more of clients that were interrupted or killed, and can then end", async () => {
      const [replica] = (await lab().startReplicas(1)) as [LabReplica];
      // Started past the gateway: what others run counts as well.
      const direct = await lab().createBuilder({ version: "0.29", address: replica.address });
      const occupant = await RunningBuild.start({ lab: lab(), buildx: direct, replicas: [replica] });
      const gateway = await gateways.start({ replicas: [replica], flags: ["--max-builds=1", "--drain-delay=0s"] });
      for (const version of BUILDX_VERSIONS) {
        for (const signal of ["SIGINT", "SIGKILL"] as const) {
          const buildx = await lab().createBuilder({ version, address: gateway.address });
          const folder = await checkOut(lab(), buildx, "acme/leaving");
          await writeBakeFile(folder, ["one", "two"]);
          const run = new BuildxRun(buildx, ["bake"], { cwd: folder, signal });
          await run.says(WAITS);
          expect((await run.interrupt()).exitCode).not.toBe(0);
          await pollUntil("nobody to wait", async () => (await gateway.load()).queued === 0);
        }
      }
      expect(await gateway.terminate()).toBe(0);
      expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
    });

    test.concurrent("tells a client that has waited too long, and one that finds the queue full", async () => {
      const timeout = await startOccupied({}, ["--queue-timeout=2s"]);
      const full = await startOccupied({ BUILDKIT_GATEWAY_QUEUE_BUILDS: "1" });
      const gate = makeGate();
      const waiting = await start(gate, full.gateway, "acme/waiting", 0);
      await waiting.says(POSITION);
      for (const [index, version] of BUILDX_VERSIONS.entries()) {
        const late = await (await start(gate, timeout.gateway, "acme/late", index)).ended;
        const refused = await (await start(gate, full.gateway, "acme/refused", index)).ended;
        for (const { exitCode, stderr } of [late, refused]) {
          // buildx 0.29 ends with a status of its own for what is exhausted, 0.13 as for any failure.
          expect(exitCode, stderr).toBeOneOf([102, 1]);
          const lastLine = stderr.trimEnd().split("\n").at(-1)!;
          console.log(`buildx ${version}, exit status ${exitCode}: ${lastLine}`);
          expect(lastLine).toMatch(/^ERROR: .*failed to solve: ResourceExhausted: /);
        }
        expect(late.stderr).toMatch(POSITION);
        expect(late.stderr).toMatch(/ResourceExhausted: .*2s.*queue\.timeout/);
        expect(refused.stderr).toMatch(/ResourceExhausted: .*\b1\b.*queue\.builds/);
      }
      const buildx = await lab().createBuilder({ version: "0.29", address: timeout.gateway.address });
      const run = await gate.start({ buildx, repository: "acme/late", label: "raw", flags: ["--progress=rawjson"] });
      const vertexes = rawVertexes((await run.ended).stderr);
      expect(vertexes.filter(({ name }) => name === QUEUE_VERTEX).at(-1)?.error).toMatch(/queue\.timeout/);

      gate.open();
      for (const { occupant } of [timeout, full]) expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
      expect(await waiting.ended).toMatchObject({ exitCode: 0 });
    });
  },
  { ownReplicas: true },
);
