import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import { describeWithKubectl } from "../support/deploy/kubectl.ts";
import { renderManifests } from "../support/deploy/manifests.ts";
import { PreStopHook } from "../support/deploy/pre-stop-hook.ts";
import { runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { freePort } from "../support/lab/free-port.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

/** Short times, so that the test is. */
const QUICK = { DRAIN_SETTLE: "0", DRAIN_ASK: "2", DRAIN_GIVE_UP: "3", DRAIN_UNKNOWN: "2", DRAIN_MAX: "120" };

/** What a slow machine takes at most; the figure that counts is printed. */
const SLOW_MS = 20_000;

/** GNU's wget and timeout, where this machine has them. */
const GNU = await findGnu();

await describeWithKubectl("the preStop command of the manifests", async (kubectl) => {
  await describeWithLab(
    "run by busybox",
    (lab) => {
      const gateways = new Gateways();
      afterEach(() => gateways.kill());

      async function hook(): Promise<PreStopHook> {
        const objects = await renderManifests(kubectl, "base");
        return await PreStopHook.extract(objects, { folder: await lab().newFolder(), busybox: lab().tools.busybox });
      }

      const where = ({ adminAddress }: GatewayProcess) => ({ DRAIN_GATEWAY: `http://${adminAddress}` });

      test.each(BUILDX_VERSIONS)(
        "holds while a build of buildx %s runs, and returns soon after its end",
        async (version) => {
          const replicas = await lab().startReplicas(1);
          const gateway = await gateways.start({ replicas });
          const buildx = await lab().createBuilder({ version, address: gateway.address });
          const build = await RunningBuild.start({ lab: lab(), buildx, replicas });
          const command = await hook();
          let hasReturned = false;
          const returned = command.run(replicas[0]!.name, { ...QUICK, ...where(gateway) }).then((result) => {
            hasReturned = true;
            return { ...result, atMs: performance.now() };
          });
          // Three questions are answered 408 meanwhile.
          await delay(6_500);
          expect(hasReturned).toBe(false);
          expect(await build.isWorkedOn()).toBe(true);
          expect(await build.finish()).toMatchObject({ exitCode: 0 });
          const endedMs = performance.now();
          const { exitCode, log, atMs } = await returned;
          console.log(`the hook returned ${Math.round(atMs - endedMs)} ms after buildx ${version} had ended`);
          expect({ exitCode, log }).toMatchObject({
            exitCode: 0,
            log: expect.stringMatching(/idle after \d+ s/),
          });
          expect(atMs - endedMs).toBeLessThan(SLOW_MS);
        },
      );

      test("holds while its gateway restarts", async () => {
        const replicas = await lab().startReplicas(1);
        const [first, second] = [await gateways.start({ replicas }), await gateways.start({ replicas })];
        const buildx = await lab().createBuilder({ version: "0.29", address: first.address });
        const build = await RunningBuild.start({ lab: lab(), buildx, replicas });
        // A Service that leads to the other gateway, then to none, then to it again.
        let target: string | undefined = second.adminAddress;
        const service = createServer((request, response) => {
          if (target === undefined) return request.socket.destroy();
          void fetch(`http://${target}${request.url}`).then(
            (answer) => response.writeHead(answer.status).end(),
            () => request.socket.destroy(),
          );
          return undefined;
        });
        await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
        try {
          const command = await hook();
          let hasReturned = false;
          const DRAIN_GATEWAY = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
          const returned = command.run(replicas[0]!.name, { ...QUICK, DRAIN_GIVE_UP: "30", DRAIN_GATEWAY });
          void returned.then(() => {
            hasReturned = true;
          });
          await delay(2_500);
          target = undefined;
          await delay(3_000);
          target = second.adminAddress;
          await delay(3_000);
          expect(hasReturned).toBe(false);
          expect(await build.finish()).toMatchObject({ exitCode: 0 });
          expect(await returned).toMatchObject({ exitCode: 0, log: expect.stringMatching(/idle after \d+ s/) });
        } finally {
          service.close();
          service.closeAllConnections();
        }
      });

      test.skipIf(GNU === undefined)("understands GNU wget as well", async () => {
        const replicas = await lab().startReplicas(1);
        const gateway = await gateways.start({ replicas });
        const objects = await renderManifests(kubectl, "base");
        const folder = await lab().newFolder();
        const command = await PreStopHook.extract(objects, { folder, busybox: lab().tools.busybox, others: GNU! });
        const known = await command.run(replicas[0]!.name, { ...QUICK, ...where(gateway) });
        expect(known).toMatchObject({ exitCode: 0, log: expect.stringMatching(/idle after \d+ s/) });
        const unknown = await command.run("buildkit-9", { ...QUICK, ...where(gateway) });
        expect(unknown).toMatchObject({ exitCode: 0, log: expect.stringMatching(/status 404/) });
        const away = { ...QUICK, DRAIN_GATEWAY: `http://127.0.0.1:${await freePort()}` };
        expect(await command.run("buildkit-8", away)).toMatchObject({ log: expect.stringMatching(/no gateway has/) });
      });

      describe("gives up", () => {
        test("in bounded time when no gateway answers", async () => {
          const env = { ...QUICK, DRAIN_GATEWAY: `http://127.0.0.1:${await freePort()}` };
          const { exitCode, log, durationMs } = await (await hook()).run("buildkit-0", env);
          expect({ exitCode, log }).toMatchObject({ exitCode: 0, log: expect.stringMatching(/giving up/) });
          expect(durationMs).toBeGreaterThanOrEqual(2_000);
          expect(durationMs).toBeLessThan(SLOW_MS);
        });

        test("when a gateway accepts and says nothing", async () => {
          const silent = createServer(() => {});
          await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
          try {
            const env = { ...QUICK, DRAIN_GATEWAY: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` };
            const { exitCode, log, durationMs } = await (await hook()).run("buildkit-0", env);
            expect({ exitCode, log }).toMatchObject({
              exitCode: 0,
              log: expect.stringMatching(/no gateway has/),
            });
            expect(durationMs).toBeLessThan(2 * SLOW_MS);
          } finally {
            silent.closeAllConnections();
            silent.close();
          }
        });

        test("soon when the gateway knows no such replica", async () => {
          const gateway = await gateways.start({ replicas: await lab().startReplicas(1) });
          const { exitCode, log } = await (await hook()).run("buildkit-9", { ...QUICK, ...where(gateway) });
          expect({ exitCode, log }).toMatchObject({ exitCode: 0, log: expect.stringMatching(/status 404/) });
        });

        test("when builds run longer than it may hold", async () => {
          const replicas = await lab().startReplicas(1);
          const gateway = await gateways.start({ replicas });
          const buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
          const build = await RunningBuild.start({ lab: lab(), buildx, replicas });
          const env = { ...QUICK, ...where(gateway), DRAIN_MAX: "3" };
          const { exitCode, log } = await (await hook()).run(replicas[0]!.name, env);
          expect({ exitCode, log }).toMatchObject({
            exitCode: 0,
            log: expect.stringMatching(/still run after 3 s/),
          });
          expect(await build.finish()).toMatchObject({ exitCode: 0 });
        });
      });
    },
    { ownReplicas: true },
  );
});

async function findGnu(): Promise<Record<string, string> | undefined> {
  const { exitCode, stdout } = await runCommand("sh", [
    "-c",
    "command -v wget && command -v timeout && wget --version",
  ]);
  const [wget, timeout, version] = stdout.split("\n") as [string, string, string];
  return exitCode === 0 && version.startsWith("GNU") ? { wget, timeout } : undefined;
}
