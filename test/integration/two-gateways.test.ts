import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Gate } from "../support/builds/gate.ts";
import { mostAtOnce } from "../support/builds/overlap.ts";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

const TOKEN = "not-a-secret-0123456789";
const MAX_BUILDS = 2;
const BUILDS = 24;

await describeWithLab(
  "two gateways before the same replicas",
  (lab) => {
    const gateways = new Gateways();
    let replicas: readonly LabReplica[];
    let both: readonly [GatewayProcess, GatewayProcess];

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
      const tokenFile = join(await lab().newFolder(), "token");
      await writeFile(tokenFile, TOKEN);
      const env = { BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE: tokenFile };
      const start = () => gateways.start({ replicas, env, flags: [`--max-builds=${MAX_BUILDS}`] });
      both = [await start(), await start()];
    });
    afterAll(() => gateways.kill());

    async function build(gateway: GatewayProcess, repository: string, index: number): Promise<LabReplica> {
      const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      const folder = await checkOut(lab(), buildx, repository);
      return (await buildAndLocate(lab(), buildx, folder, replicas)).replica;
    }

    test("send a repository's builds to one replica, whichever takes them", async () => {
      for (let repository = 0; repository < 4; repository++) {
        const names: string[] = [];
        for (let index = 0; index < 4; index++) {
          names.push((await build(both[index % 2]!, `acme/both-${repository}`, index)).name);
        }
        expect(names).toEqual(Array(4).fill(names[0]));
      }
    });

    test("know where the other's builds have left their cache, also one that was not there then", async () => {
      const [one, other] = both;
      const preferred = await build(one, "acme/moved", 0);
      expect((await one.ask(`/drain/${preferred.name}`, { method: "POST", token: TOKEN })).status).toBe(200);
      const second = await build(one, "acme/moved", 1);
      expect(second.name).not.toBe(preferred.name);
      expect((await one.ask(`/drain/${preferred.name}`, { method: "DELETE", token: TOKEN })).status).toBe(200);
      expect((await build(other, "acme/moved", 2)).name).toBe(second.name);
      const late = await gateways.start({ replicas });
      expect((await build(late, "acme/moved", 3)).name).toBe(second.name);
    });

    test(`give no replica more than ${MAX_BUILDS} builds and one, however many come through both at once`, async () => {
      const known = new Set((await Promise.all(replicas.map(({ control }) => control.buildRefs()))).flat());
      const gate = new Gate(lab());
      try {
        const runs = await Promise.all(
          Array.from({ length: BUILDS }, async (_, index) => {
            const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
            const { address } = both[Math.floor(index / 2) % 2]!;
            const buildx = await lab().createBuilder({ version, address });
            return await gate.start({ buildx, repository: `acme/many-${index % 5}`, label: `${index}` });
          }),
        );
        await pollUntil(
          "the fleet to be full and the others to wait",
          async () => {
            const loads = await Promise.all(both.map((gateway) => gateway.load()));
            const queued = loads.reduce((sum, load) => sum + load.queued, 0);
            return queued > 0 && queued + (await gate.waiting()) === BUILDS;
          },
          { timeoutMs: 120_000 },
        );
        gate.open();
        for (const run of runs) {
          const { exitCode, stderr } = await run.ended;
          expect(exitCode, stderr).toBe(0);
        }
      } finally {
        gate.remove();
      }
      const histories = await Promise.all(replicas.map(({ control }) => control.builds()));
      const most = histories.map((builds) => mostAtOnce(builds.filter(({ buildRef }) => !known.has(buildRef))));
      console.log(`most at once: ${most.join(", ")}`);
      for (const count of most) {
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(MAX_BUILDS + both.length - 1);
      }
    });
  },
  { ownReplicas: true },
);
