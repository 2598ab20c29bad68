import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import { SteadyLoad } from "../support/builds/steady-load.ts";
import { Balancer } from "../support/lab/balancer.ts";
import type { CommandResult } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

// A drain that never ends is a failure, too.
vi.setConfig({ testTimeout: 240_000 });

const TOKEN = "not-a-secret-0123456789";

/** Builds at once, all the time. */
const WORKERS = 3;

await describeWithLab(
  "replaced one after another while builds arrive",
  (lab) => {
    const gateways = new Gateways();
    let balancer: Balancer | undefined;

    afterEach(async () => {
      balancer?.close();
      await gateways.kill();
    });

    test("all three replicas: no build fails, and none is stopped before it is idle", async () => {
      const replicas = await lab().startReplicas(3);
      const tokenFile = join(await lab().newFolder(), "token");
      await writeFile(tokenFile, `${TOKEN}\n`);
      const env = { BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE: tokenFile };
      const gateway = await gateways.start({ replicas, env });
      const { address } = gateway;
      const load = new SteadyLoad({ lab: lab(), address, workers: WORKERS });
      for (const [index, replica] of replicas.entries()) {
        const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
        const buildx = await lab().createBuilder({ version, address });
        const occupant = await runOn(replica.name, (repository) =>
          RunningBuild.start({ lab: lab(), buildx, replicas, repository }),
        );
        const path = `/drain/${replica.name}`;
        expect((await gateway.ask(path, { method: "POST" })).status).toBe(401);
        expect(await gateway.ask(path, { method: "POST", token: TOKEN })).toMatchObject({ status: 200 });
        expect((await gateway.ask(`${path}?wait=1s`)).status).toBe(408);
        await moreBuilds(load, 3);
        expect((await gateway.ask(`${path}?wait=1ms`)).status).toBe(408);
        const idle = gateway.ask(`${path}?wait=2m`);
        expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
        expect(await idle).toMatchObject({ status: 200 });

        const before = await replica.control.buildRefs();
        await moreBuilds(load, 3);
        expect(await replica.control.buildRefs()).toEqual(before);
        await replica.stop();
        const from = gateway.lines.all.length;
        await replica.replace();
        expect(await gateway.ask(path, { method: "DELETE", token: TOKEN })).toMatchObject({ status: 200 });
        await gateway.lines.next("replica state changed", { replica: replica.name, to: "ready" }, from);
      }
      expectAllGood(await load.stop());
    });

    test("both gateways behind one address: no build fails", async () => {
      const replicas = await lab().startReplicas(2);
      const flags = ["--drain-delay=3s"];
      const start = () => gateways.start({ replicas, flags });
      balancer = await Balancer.open([await start(), await start()]);
      const { address } = balancer;
      const load = new SteadyLoad({ lab: lab(), address, workers: WORKERS });
      await moreBuilds(load, 3);
      for (const place of [0, 1]) {
        const old = balancer.gateways[place] as Awaited<ReturnType<typeof start>>;
        const buildx = await lab().createBuilder({ version: BUILDX_VERSIONS[place]!, address: old.address });
        const occupant = await RunningBuild.start({ lab: lab(), buildx, replicas });
        const exited = old.terminate();
        await pollUntil("it to be not ready", async () => (await old.readyz()).status === 503);
        await moreBuilds(load, 6);
        expect(await occupant.finish()).toMatchObject({ exitCode: 0 });
        expect(await exited).toBe(0);
        balancer.gateways[place] = await start();
        await moreBuilds(load, 3);
      }
      expectAllGood(await load.stop());
    });
  },
  { ownReplicas: true },
);

/** Resolves when this many more builds have ended. */
async function moreBuilds(load: SteadyLoad, count: number): Promise<void> {
  const goal = load.ended + count;
  await pollUntil(`${count} more builds`, async () => load.ended >= goal, { timeoutMs: 120_000 });
}

/** Start builds of one repository after another until one runs on the named replica; the others are let go. */
async function runOn(name: string, start: (repository: string) => Promise<RunningBuild>): Promise<RunningBuild> {
  for (let index = 0; ; index++) {
    const build = await start(`acme/on-${name}-${index}`);
    if (build.replica.name === name) return build;
    expect(await build.finish()).toMatchObject({ exitCode: 0 });
  }
}

function expectAllGood(results: readonly CommandResult[]): void {
  console.log(`${results.length} builds while everything was replaced`);
  for (const { exitCode, stderr } of results) expect(exitCode, stderr).toBe(0);
}
