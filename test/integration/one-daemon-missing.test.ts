import { afterAll, beforeAll, expect, test } from "vitest";
import { BuiltFleet } from "../support/builds/built-fleet.ts";
import { DaemonClient } from "../support/lab/daemon-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { LabReplica } from "../support/lab/replica.ts";

/** More than a health check and its second chance take, and a question to a replica that hangs. */
const BOUND_MS = 30_000;

await describeWithLab(
  "one daemon of which a part is missing",
  (lab) => {
    let fleet: BuiltFleet;

    beforeAll(async () => {
      const env = { BUILDKIT_GATEWAY_HEALTH_INTERVAL: "1s", BUILDKIT_GATEWAY_HEALTH_TIMEOUT: "1s" };
      fleet = await BuiltFleet.start(lab(), { replicas: 3, builds: 12, env });
    });
    afterAll(() => fleet?.close());

    async function run(...args: string[]) {
      const result = await (await fleet.other()).run(args);
      expect(result.durationMs).toBeLessThan(BOUND_MS);
      return result;
    }

    /** Wait until the other gateway has found the replica to be so. */
    async function noticed(replica: LabReplica, to: string, from: number): Promise<void> {
      await fleet.otherGateway.lines.next("replica state changed", { replica: replica.name, to }, from);
    }

    /** What holds while `missing` is out; all that the others have is found. */
    async function answersName(missing: LabReplica): Promise<void> {
      for (const args of [["history", "ls"], ["du"], ["history", "rm", "--all"]]) {
        const { exitCode, stderr } = await run(...args);
        expect(exitCode, args.join(" ")).not.toBe(0);
        expect(stderr, args.join(" ")).toContain(`replica ${missing.name} (`);
      }
      for (const build of fleet.onePerReplica()) {
        const inspected = await run("history", "inspect", build.buildRef);
        const logs = await run("history", "logs", build.buildRef);
        if (build.replica === missing) {
          expect(inspected.stderr).toContain(`replica ${missing.name} (`);
          continue;
        }
        expect(inspected.stdout).toContain(build.repository);
        expect(logs.exitCode, logs.stderr).toBe(0);
      }
      expect((await run("inspect")).stdout).toMatch(/buildkit-gateway\.replicas:\s+2/);
    }

    async function answersAreWhole(): Promise<void> {
      const listed = (await run("history", "ls", "--format={{.Ref}}")).stdout.trim().split("\n");
      const refs = listed.map((ref) => ref.split("/").at(-1));
      expect(refs).toEqual(await fleet.newestFirst());
      expect((await run("du")).exitCode).toBe(0);
    }

    test("a killed replica is named, a build is found wherever else it is, and all is whole once it is back", async () => {
      const replica = fleet.replicas[1]!;
      const from = fleet.otherGateway.lines.all.length;
      await replica.kill9();
      await noticed(replica, "ejected", from);
      await answersName(replica);
      const back = fleet.otherGateway.lines.all.length;
      await replica.restart();
      await noticed(replica, "ready", back);
      await answersAreWhole();
    });

    test("a replica that hangs holds up no answer for long, before it is ejected and afterwards", async () => {
      const replica = fleet.replicas[0]!;
      const from = fleet.otherGateway.lines.all.length;
      await replica.freeze();
      try {
        const results = await Promise.all([run("history", "ls"), run("du"), run("prune", "-f", "--filter=until=24h")]);
        for (const { exitCode, stderr } of results) {
          expect(exitCode).not.toBe(0);
          expect(stderr).toContain(`replica ${replica.name} (`);
        }
        await noticed(replica, "ejected", from);
        await answersName(replica);
      } finally {
        await replica.thaw();
      }
      await noticed(replica, "ready", from);
      await answersAreWhole();
    });

    test("while a replica dies and comes back, each answer is whole or names it, and in the end it is whole", async () => {
      const client = new DaemonClient(fleet.otherGateway.address);
      const replica = fleet.replicas[1]!;
      const [refs, records] = [(await fleet.newestFirst()).toSorted(), (await client.diskUsage()).map(({ ID }) => ID)];
      const outcomes = { whole: 0, named: 0 };
      let isOver = false;
      const ask = async (wanted: readonly string[], answer: () => Promise<readonly string[]>): Promise<void> => {
        while (!isOver) {
          try {
            expect((await answer()).toSorted()).toEqual(wanted.toSorted());
            outcomes.whole++;
          } catch (error) {
            expect((error as Error).message).toContain(`replica ${replica.name} (`);
            outcomes.named++;
          }
        }
      };
      try {
        const asking = Promise.all([
          ask(refs, async () => (await client.listHistory()).map(({ record }) => record!.Ref)),
          ask(refs.slice(-1), async () =>
            (await client.listHistory({ Ref: refs.at(-1)! })).map(({ record }) => record!.Ref),
          ),
          ask(records, async () => (await client.diskUsage()).map(({ ID }) => ID)),
        ]);
        // What fails first is heard of when all is over.
        asking.catch(() => {});
        const from = fleet.otherGateway.lines.all.length;
        await replica.kill9();
        await noticed(replica, "ejected", from);
        const back = fleet.otherGateway.lines.all.length;
        await replica.restart();
        await noticed(replica, "ready", back);
        isOver = true;
        await asking;
        expect(outcomes.named).toBeGreaterThan(0);
        await answersAreWhole();
      } finally {
        isOver = true;
        client.close();
      }
    });

    test("where that is wished, what is missing is left out", async () => {
      const lenient = await fleet.lenientGateway();
      const replica = fleet.replicas[2]!;
      const from = lenient.lines.all.length;
      await replica.kill9();
      try {
        await lenient.lines.next("replica state changed", { replica: replica.name, to: "ejected" }, from);
        const buildx = await lab().createBuilder({ version: "0.29", address: lenient.address });
        const { stdout } = await buildx.mustRun(["history", "ls", "--format={{.Ref}}"]);
        expect(stdout.trim().split("\n")).toHaveLength(8);
        await buildx.mustRun(["du"]);
      } finally {
        await replica.restart();
      }
    });

    test("a client that follows history is told of builds while a replica is killed and comes back", async () => {
      const client = new DaemonClient(fleet.otherGateway.address);
      const told: string[] = [];
      try {
        await client.followHistory(({ type, record }) => void told.push(`${type} ${record!.Ref}`));
        const replica = fleet.replicas[1]!;
        const from = fleet.otherGateway.lines.all.length;
        await replica.kill9();
        await noticed(replica, "ejected", from);
        await replica.restart();
        await noticed(replica, "ready", from);
        const before = told.length;
        expect(new Set(told).size).toBe(before);
        const { buildRef } = await fleet.buildOn(replica);
        await expect
          .poll(() => told.filter((line) => line.endsWith(buildRef)).length, { timeout: 30_000 })
          .toBeGreaterThan(1);
        expect(told.filter((line) => line === `STARTED ${buildRef}`)).toHaveLength(1);
        // What it has had before is not told again.
        expect(told.slice(before).every((line) => line.endsWith(buildRef))).toBe(true);
      } finally {
        client.close();
      }
    });
  },
  { ownReplicas: true },
);
