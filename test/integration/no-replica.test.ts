import { afterEach, expect, test } from "vitest";
import { controlClient } from "../support/lab/control-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { freePort } from "../support/lab/free-port.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

const UNAVAILABLE = 14;

await describeWithLab(
  "where no replica works",
  (lab) => {
    let gateway: GatewayProcess | undefined;

    afterEach(async () => {
      await gateway?.kill();
      gateway = undefined;
    });

    test("builds fail at once, and their users read of each replica and why it is out", async () => {
      const replicas = await lab().startReplicas(2);
      gateway = await GatewayProcess.start({ replicas });
      const { address } = gateway;
      await Promise.all(replicas.map((replica) => replica.kill9()));
      const folder = await makeBuildContext({ newFolder: () => lab().newFolder(), busybox: lab().tools.busybox }, "");
      for (const version of BUILDX_VERSIONS) {
        const buildx = await lab().createBuilder({ version, address });
        const { exitCode, stderr, durationMs } = await buildx.run(["build", "--output=type=cacheonly", folder]);
        expect(exitCode).toBe(1);
        const lastLine = stderr.trimEnd().split("\n").at(-1)!;
        expect(lastLine).toMatch(/^ERROR: .*Unavailable: no replica takes builds: /);
        for (const { name, address } of replicas) {
          expect(lastLine).toContain(`${name}: ejected (connect ECONNREFUSED ${address.replace("tcp://", "")})`);
        }
        console.log(`buildx ${version}, after ${durationMs.toFixed(0)} ms: ${lastLine}`);
      }
    });

    test("a gateway that has heard of none yet says so to clients and to probes", async () => {
      const replicas = await Promise.all(
        ["one", "two"].map(async (name) => ({ name, address: `tcp://127.0.0.1:${await freePort()}` })),
      );
      gateway = await GatewayProcess.start({ replicas, until: "serving" });
      for (const { name } of replicas) {
        await gateway.lines.next("replica state changed", { replica: name, to: "ejected" });
      }
      const reasons = replicas.map(
        ({ name, address }) => `${name}: ejected (connect ECONNREFUSED ${address.replace("tcp://", "")})`,
      );
      await expect(controlClient(gateway.address.replace("tcp://", "")).workerUuid()).rejects.toMatchObject({
        code: UNAVAILABLE,
        details: `no replica has answered yet: ${reasons.join(", ")}`,
      });
      expect(await gateway.readyz()).toEqual({ status: 503, text: expect.stringContaining(reasons.join(", ")) });
    });

    test("a gateway that was given none does not start, and says in one line what to give it", async () => {
      const start = GatewayProcess.start({ until: "serving" });
      await expect(start).rejects.toThrow(
        /:\nbuildkit-gateway: no replica given: use --replica tcp:\/\/host:port, .*\n$/,
      );
    });
  },
  { ownReplicas: true },
);
