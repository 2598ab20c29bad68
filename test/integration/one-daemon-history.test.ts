import { afterAll, beforeAll, expect, test } from "vitest";
import { checkOut } from "../support/builds/repository.ts";
import { DaemonClient } from "../support/lab/daemon-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";

const FOLLOWERS = 10;
const BUILDS = 50;
const AT_ONCE = 4;

await describeWithLab(
  "live history",
  (lab) => {
    const gateways = new Gateways();
    let replicas: readonly LabReplica[];
    let both: readonly GatewayProcess[];

    beforeAll(async () => {
      replicas = await lab().startReplicas(3);
      both = [await gateways.start({ replicas }), await gateways.start({ replicas })];
    });
    afterAll(() => gateways.kill());

    test(`tells each of ${FOLLOWERS} clients of each of ${BUILDS} builds' start and end once`, async () => {
      const clients: DaemonClient[] = [];
      try {
        const followers = await Promise.all(
          Array.from({ length: FOLLOWERS }, async (_, index) => {
            const client = new DaemonClient(both[index % both.length]!.address);
            clients.push(client);
            const told: string[] = [];
            await client.followHistory(({ type, record }) => {
              told.push(`${type} ${record!.Ref} ${record!.Generation}`);
            });
            return told;
          }),
        );
        const queue = Array.from({ length: BUILDS }, (_, index) => index);
        const work = async () => {
          for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
            const address = both[index % both.length]!.address;
            const buildx = await lab().createBuilder({ version: "0.29", address });
            const folder = await checkOut(lab(), buildx, `acme/live-${index}`);
            await buildx.mustRun(["build", "--output=type=cacheonly", folder], { cwd: folder });
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, work));
        const refs = (await Promise.all(replicas.map(({ control }) => control.buildRefs()))).flat().sort();
        expect(refs).toHaveLength(BUILDS);
        const refsOf = (told: readonly string[], type: string) =>
          told.flatMap((line) => (line.startsWith(`${type} `) ? [line.split(" ")[1]!] : []));
        for (const told of followers) {
          await pollUntil("every end to be told", async () => new Set(refsOf(told, "COMPLETE")).size === BUILDS);
          expect(refsOf(told, "STARTED").sort()).toEqual(refs);
          expect([...new Set(refsOf(told, "COMPLETE"))].sort()).toEqual(refs);
          // A record that changes afterwards, as when its trace is stored, is told once more, as a higher generation.
          expect(new Set(told).size).toBe(told.length);
        }
      } finally {
        for (const client of clients) client.close();
      }
    });
  },
  { ownReplicas: true },
);
