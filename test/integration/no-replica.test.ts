import { afterAll, expect, test } from "vitest";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { freePort } from "../support/lab/free-port.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

interface Named {
  readonly name: string;
  readonly address: string;
}

await describeWithLab(
  "where no replica works",
  (lab) => {
    const gateways = new Gateways();
    afterAll(() => gateways.kill());

    /** Builds wait as long as they may; then their users read of each replica and why it is out. */
    async function expectTold(gateway: GatewayProcess, replicas: readonly Named[]): Promise<void> {
      const folder = await makeBuildContext({ newFolder: () => lab().newFolder(), busybox: lab().tools.busybox }, "");
      for (const version of BUILDX_VERSIONS) {
        const buildx = await lab().createBuilder({ version, address: gateway.address });
        const { exitCode, stderr } = await buildx.run(["build", "--output=type=cacheonly", folder]);
        expect(exitCode, stderr).toBeOneOf([102, 1]);
        const lastLine = stderr.trimEnd().split("\n").at(-1)!;
        console.log(`buildx ${version}, exit status ${exitCode}: ${lastLine}`);
        expect(lastLine).toMatch(/^ERROR: .*ResourceExhausted: .*queue\.timeout/);
        for (const { name, address } of replicas) {
          expect(lastLine).toContain(`${name}: ejected (connect ECONNREFUSED ${address.replace("tcp://", "")})`);
        }
      }
    }

    test("because all have gone, builds wait for queue.timeout, and their users read why each is out", async () => {
      const replicas = await lab().startReplicas(2);
      const gateway = await gateways.start({ replicas, flags: ["--queue-timeout=2s"] });
      await Promise.all(replicas.map((replica) => replica.kill9()));
      await expectTold(gateway, replicas);
    });

    test("because none has come yet, the same, and the gateway takes builds all the same", async () => {
      const replicas = await Promise.all(
        ["one", "two"].map(async (name) => ({ name, address: `tcp://127.0.0.1:${await freePort()}` })),
      );
      const gateway = await gateways.start({ replicas, until: "serving", flags: ["--queue-timeout=2s"] });
      for (const { name } of replicas) {
        await gateway.lines.next("replica state changed", { replica: name, to: "ejected" });
      }
      expect(await gateway.readyz()).toMatchObject({ status: 200 });
      await expectTold(gateway, replicas);
    });

    test("and no build may wait for one, the gateway is not ready", async () => {
      const replicas = [{ name: "one", address: `tcp://127.0.0.1:${await freePort()}` }];
      const env = { BUILDKIT_GATEWAY_QUEUE_BUILDS: "0" };
      const gateway = await gateways.start({ replicas, until: "serving", env });
      await gateway.lines.next("replica state changed", { replica: "one", to: "ejected" });
      expect(await gateway.readyz()).toMatchObject({ status: 503 });
    });

    test("because none was given, the gateway does not start, and says in one line what to give it", async () => {
      const start = GatewayProcess.start({ until: "serving" });
      await expect(start).rejects.toThrow(
        /:\nbuildkit-gateway: no replica given: use --replica tcp:\/\/host:port, .*\n$/,
      );
    });
  },
  { ownReplicas: true },
);
