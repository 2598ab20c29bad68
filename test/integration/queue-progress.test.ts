import { afterAll, beforeAll, expect, test } from "vitest";
import { QUEUE_VERTEX, RUNNING_ON } from "../support/builds/queue-lines.ts";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { lastScreen, runInTerminal } from "../support/lab/terminal.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";
import { FAILURE_STORIES } from "../support/stories/failures.ts";
import { rawVertexes } from "../support/stories/raw-progress.ts";
import { tellStory } from "../support/stories/story.ts";

await describeWithLab(
  "what the user sees of a wait",
  (lab) => {
    const gateways = new Gateways();
    let replica: LabReplica;
    let gateway: GatewayProcess;
    let folder: string;

    beforeAll(async () => {
      [replica] = (await lab().startReplicas(1)) as [LabReplica];
      gateway = await gateways.start({ replicas: [replica], flags: ["--max-builds=1"] });
      folder = await makeBuildContext(
        { newFolder: () => lab().newFolder(), busybox: lab().tools.busybox },
        "RUN --network=none true\n",
      );
    });
    afterAll(() => gateways.kill());

    /** Start `clients` while the replica is full, and make room when all of them wait. Resolves with what they came to. */
    async function afterWait<T>(door: GatewayProcess, clients: (() => Promise<T>)[]): Promise<T[]> {
      const buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      const occupant = await RunningBuild.start({ lab: lab(), buildx, replicas: [replica] });
      const outcomes = Promise.all(clients.map((run) => run()));
      await Promise.race([
        pollUntil("all to wait", async () => (await door.load()).queued === clients.length, { timeoutMs: 60_000 }),
        outcomes.then(() => expect.fail("none was to end before there was room")),
      ]);
      expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
      return await outcomes;
    }

    const build = (door: GatewayProcess, version: BuildxVersion, flags: readonly string[]) => async () => {
      const buildx = await lab().createBuilder({ version, address: door.address });
      return await buildx.mustRun(["build", "--output=type=cacheonly", ...flags, folder]);
    };

    test("one step, shown once, with its lines below it: plain", async () => {
      const results = await afterWait(
        gateway,
        BUILDX_VERSIONS.map((version) => build(gateway, version, ["--progress=plain"])),
      );
      for (const { stderr } of results) {
        console.log(stderr.split("\n").slice(0, 8).join("\n"));
        const lines = stderr.split("\n");
        const titles = lines.filter((line) => line.includes(QUEUE_VERTEX));
        expect(titles).toHaveLength(1);
        const [step] = titles[0]!.split(" ");
        expect(titles[0]).toBe(`${step} ${QUEUE_VERTEX}`);
        const own = lines.filter((line) => line.startsWith(`${step} `));
        expect(own[1]).toMatch(/^#\d+ \d+\.\d+ .*position [12] of \d in the queue/);
        expect(own.at(-2)).toMatch(RUNNING_ON);
        expect(own.at(-1)).toMatch(/^#\d+ DONE \d+\.\d+s$/);
      }
    });

    test("one vertex that begins and ends once: rawjson", async () => {
      const results = await afterWait(
        gateway,
        BUILDX_VERSIONS.map((version) => build(gateway, version, ["--progress=rawjson"])),
      );
      for (const { stderr } of results) {
        const vertexes = rawVertexes(stderr).filter(({ name }) => name === QUEUE_VERTEX);
        expect(new Set(vertexes.map(({ digest }) => digest)).size).toBe(1);
        expect(vertexes[0]).toMatchObject({ started: expect.any(String) });
        expect(vertexes.filter(({ completed }) => completed !== undefined)).toHaveLength(1);
        expect(vertexes.some(({ error }) => error)).toBe(false);
      }
    });

    test("one line among the others in the end: a terminal", async () => {
      const results = await afterWait(
        gateway,
        BUILDX_VERSIONS.map((version) => async () => {
          const buildx = await lab().createBuilder({ version, address: gateway.address });
          return await runInTerminal(buildx, ["build", "--progress=tty", "--output=type=cacheonly", folder]);
        }),
      );
      for (const { exitCode, stdout } of results) {
        expect(exitCode, stdout).toBe(0);
        expect(stdout).toMatch(/=> => # .*position \d of \d in the queue/);
        const shown = lastScreen(stdout).split("\n");
        expect(shown.filter((line) => line.includes(QUEUE_VERTEX))).toHaveLength(1);
        expect(shown.some((line) => line.includes("RUN --network=none true"))).toBe(true);
      }
    });

    test("nothing of it in the error of a build that fails afterwards", async () => {
      const target = { name: "gateway", address: gateway.address, replicas: [replica] };
      for (const story of FAILURE_STORIES.slice(0, 2)) {
        const outcomes = await afterWait(
          gateway,
          BUILDX_VERSIONS.map((version) => () => tellStory(story, lab(), target, version)),
        );
        for (const outcome of outcomes) expect(outcome).toEqual(story.expected);
      }
    });

    test("nothing where there is no wait, unless it is to be shown always", async () => {
      const env = { BUILDKIT_GATEWAY_QUEUE_PROGRESS: "always" };
      const always = await gateways.start({ replicas: [replica], env });
      for (const version of BUILDX_VERSIONS) {
        expect((await build(gateway, version, [])()).stderr).not.toContain("[gateway]");
        const { stderr } = await build(always, version, [])();
        expect(stderr.split("\n").filter((line) => line.includes(QUEUE_VERTEX))).toHaveLength(1);
        expect(stderr).toMatch(RUNNING_ON);
      }
    });

    test("nothing where it is switched off", async () => {
      const env = { BUILDKIT_GATEWAY_QUEUE_PROGRESS: "off" };
      const silent = await gateways.start({ replicas: [replica], flags: ["--max-builds=1"], env });
      const results = await afterWait(
        silent,
        BUILDX_VERSIONS.map((version) => build(silent, version, [])),
      );
      for (const { stderr } of results) expect(stderr).not.toContain("[gateway]");
    });
  },
  { ownReplicas: true },
);
