import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CommandResult } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Door } from "../support/lab/door.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { connectionsTo } from "../support/lab/open-connections.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";
import { writeSeededFile } from "../support/stories/seeded-bytes.ts";

const BIG_FILE_BYTES = 96 * 2 ** 20;
/** The loss comes when this much has been moved. */
const MOVED_BYTES = 16 * 2 ** 20;

/** What moves much, which way, and the Dockerfile that makes it so. */
const TRANSFERS = [
  { what: "a big context goes up", direction: "in", dockerfile: "COPY big /big\n" },
  {
    what: "a big result comes down",
    direction: "out",
    dockerfile: `RUN --network=none dd if=/dev/zero of=/big bs=1M count=${BIG_FILE_BYTES / 2 ** 20}\n`,
  },
] as const;

await describeWithLab(
  "while much is moved",
  (lab) => {
    let replica: LabReplica;
    let door: Door;
    let gateway: GatewayProcess;

    beforeAll(async () => {
      [replica] = (await lab().startReplicas(1)) as [LabReplica];
      door = await Door.open({ to: replica.address });
      gateway = await GatewayProcess.start({ replicas: [{ name: replica.name, address: door.address }] });
    });
    afterAll(async () => {
      await gateway?.kill();
      door?.close();
    });

    /** Start a build; resolves in the middle of its transfer. `kill` ends buildx with SIGKILL. */
    async function startTransfer(version: BuildxVersion, { direction, dockerfile }: (typeof TRANSFERS)[number]) {
      const folder = await makeBuildContext(
        { newFolder: () => lab().newFolder(), busybox: lab().tools.busybox },
        dockerfile,
      );
      if (direction === "in") await writeSeededFile(join(folder, "big"), folder, BIG_FILE_BYTES);
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      const output = direction === "in" ? "type=cacheonly" : `type=local,dest=${await lab().newFolder()}`;
      const kill = new AbortController();
      const moved = door.carried(direction, MOVED_BYTES);
      const ended = buildx.run(["build", "--no-cache", `--output=${output}`, folder], {
        signalOn: kill.signal,
        signal: "SIGKILL",
      });
      const endedEarly = ended.then(({ stderr }): never => {
        throw new Error(`the build ended before it had moved much:\n${stderr}`);
      });
      await Promise.race([moved, endedEarly]);
      return { ended: ended as Promise<CommandResult>, kill: () => kill.abort() };
    }

    const cases = BUILDX_VERSIONS.flatMap((version) =>
      TRANSFERS.map((transfer) => ({ version, transfer, what: transfer.what })),
    );

    test.for(cases)(
      "the loss of a client leaves nothing behind: $what, buildx $version",
      async ({ version, transfer }) => {
        const port = Number(door.address.split(":").at(-1));
        const before = await connectionsTo(port, gateway.pid);
        const { ended, kill } = await startTransfer(version, transfer);
        kill();
        expect((await ended).exitCode).toBe(128 + 9);
        const isBefore = async () => (await connectionsTo(port, gateway.pid)) === before;
        await pollUntil("the gateway to close its connections", isBefore);
        const isIdle = async () => (await replica.control.activeRefs()).length === 0;
        await pollUntil("the replica to give the build up", isIdle, { timeoutMs: 60_000 });
      },
    );

    test.for(cases)("the loss of the replica ends the build: $what, buildx $version", async ({ version, transfer }) => {
      const { ended } = await startTransfer(version, transfer);
      const killedMs = performance.now();
      await replica.kill9();
      const { exitCode, stderr } = await ended;
      console.log(
        `${transfer.what}, buildx ${version}: ended ${(performance.now() - killedMs).toFixed(0)} ms after the kill`,
      );
      expect(exitCode).toBe(1);
      expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
        /^ERROR: .*failed to solve: Unavailable: replica buildkit-0 went away: /,
      );
      const from = gateway.lines.all.length;
      await replica.restart();
      await gateway.lines.next("replica state changed", { to: "ready" }, from);
    });
  },
  { ownReplicas: true },
);
