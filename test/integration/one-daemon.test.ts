import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BuiltFleet } from "../support/builds/built-fleet.ts";
import { DaemonClient } from "../support/lab/daemon-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { pollUntil } from "../support/lab/poll.ts";

/** As Docker's units.HumanSize writes it: three decimals of significance, by thousands. */
function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let [size, unit] = [bytes, 0];
  for (; size >= 1_000 && unit < units.length - 1; unit++) size /= 1_000;
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}

/** Content that is what its digest says. */
async function readWhole(client: DaemonClient, digest: string): Promise<Buffer> {
  const content = await client.readContent(digest);
  expect(`sha256:${createHash("sha256").update(content).digest("hex")}`).toBe(digest);
  return content;
}

await describeWithLab(
  "12 builds on 3 replicas, through a gateway that placed none of them",
  (lab) => {
    let fleet: BuiltFleet;
    const clients: DaemonClient[] = [];
    const clientOf = (address: string) => {
      const client = new DaemonClient(address);
      clients.push(client);
      return client;
    };

    beforeAll(async () => {
      fleet = await BuiltFleet.start(lab(), { replicas: 3, builds: 12 });
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      await fleet?.close();
    });

    async function listed(...args: string[]): Promise<string[]> {
      const { stdout } = await (await fleet.other()).mustRun(["history", "ls", "--format=json", ...args]);
      return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).ref.split("/").at(-1)]));
    }

    test("`history ls` has all, newest first, and so it has with filters and a limit", async () => {
      const newestFirst = await fleet.newestFirst();
      expect(newestFirst).toHaveLength(12);
      expect(new Set(fleet.builds.map(({ replica }) => replica.name)).size).toBe(3);
      expect(await listed()).toEqual(newestFirst);
      expect(await listed("--filter", "status=completed")).toEqual(newestFirst);
      expect(await listed("--filter", "status=error")).toEqual([]);
      const one = fleet.builds[3]!;
      expect(await listed("--filter", `repository=${one.repository}`)).toEqual([one.buildRef]);
      const events = await clientOf(fleet.otherGateway.address).listHistory({ Limit: 5 });
      expect(events.map(({ record }) => record?.Ref)).toEqual(newestFirst.slice(0, 5));
    });

    test("`history inspect`, `logs` and `export` find each of them, and its trace and logs can be read", async () => {
      const client = clientOf(fleet.otherGateway.address);
      for (const { buildRef, repository } of fleet.builds) {
        const buildx = await fleet.other();
        expect((await buildx.mustRun(["history", "inspect", buildRef])).stdout).toContain(repository);
        expect((await buildx.mustRun(["history", "logs", buildRef])).stderr).toContain("echo ");
        const attachment = ["history", "inspect", "attachment", "--type=provenance", buildRef];
        expect((await buildx.mustRun(attachment)).stdout).toContain("buildType");
        const file = join(await lab().newFolder(), "build.dockerbuild");
        await buildx.mustRun(["history", "export", buildRef, "-o", file]);
        expect((await stat(file)).size).toBeGreaterThan(1_000);
        await client.updateHistory({ Ref: buildRef, Finalize: true });
        const [event] = await client.listHistory({ Ref: buildRef });
        const { logs, trace } = event!.record!;
        const [log, spans] = await Promise.all([readWhole(client, logs!.digest), readWhole(client, trace!.digest)]);
        expect(log.length).toBeGreaterThan(0);
        // What `buildx history trace` opens: one span after the other, indented.
        const names = spans
          .toString()
          .split(/\n(?=\{)/)
          .map((span) => JSON.parse(span).Name);
        expect(names.length).toBeGreaterThan(0);
        expect(names.every((name) => typeof name === "string" && name !== "")).toBe(true);
      }
    });

    test("`du` is the sum of asking each replica", async () => {
      const { stdout } = await (await fleet.other()).mustRun(["du", "--verbose"]);
      const each = await Promise.all(fleet.replicas.map(({ address }) => clientOf(address).diskUsage()));
      const all = each.flat();
      expect([...stdout.matchAll(/^ID:\s+(\S+)$/gm)].map(([, id]) => id).sort()).toEqual(
        all.map(({ ID }) => ID).sort(),
      );
      const total = all.reduce((sum, { Size }) => sum + Number(Size), 0);
      expect((await (await fleet.other()).mustRun(["du"])).stdout).toContain(`Total:\t\t${humanSize(total)}`);
    });

    test("`inspect` and `ls` show one node that says how many replicas there are", async () => {
      const inspected = (await (await fleet.other()).mustRun(["inspect"])).stdout;
      expect(inspected.match(/^Endpoint:/gm)).toHaveLength(1);
      expect(inspected).toMatch(/buildkit-gateway\.replicas:\s+3/);
      expect(inspected).toMatch(/Platforms:.*linux\//);
      expect((await (await fleet.other()).run(["ls"])).stdout).toContain("running");
    });

    test("buildx 0.13 has its `du`, `inspect` and `prune` answered, too", async ({ skip }) => {
      if (!lab().tools.buildx["0.13"]) skip("no buildx 0.13 here");
      const buildx = await lab().createBuilder({ version: "0.13", address: fleet.otherGateway.address });
      const each = await Promise.all(fleet.replicas.map(({ address }) => clientOf(address).diskUsage()));
      const { stdout } = await buildx.mustRun(["du", "--verbose"]);
      expect([...stdout.matchAll(/^ID:/gm)]).toHaveLength(each.flat().length);
      expect((await buildx.mustRun(["inspect"])).stdout).toContain("Platforms:");
      // Nothing is older than a day.
      expect((await buildx.mustRun(["prune", "-f", "--filter=until=24h"])).stdout).toMatch(/Total:\s+0B/);
    });

    test("`history rm` deletes a record where it is, and `rm --all` all, with no other word of a deletion", async () => {
      const deletions = await Promise.all(
        fleet.replicas.map(async ({ name, address }) => {
          const deleted: string[] = [];
          await clientOf(address).followHistory(({ type, record }) => {
            if (type === "DELETED") deleted.push(record!.Ref);
          });
          return { name, deleted };
        }),
      );
      const [first] = fleet.builds;
      await (await fleet.other()).mustRun(["history", "rm", first!.buildRef]);
      expect(await listed()).toEqual((await fleet.newestFirst()).filter((ref) => ref !== first!.buildRef));
      const again = await (await fleet.other()).run(["history", "rm", first!.buildRef]);
      expect(again.exitCode).not.toBe(0);
      expect(again.stderr).toContain(`no replica has build ${first!.buildRef} in its history`);
      await (await fleet.other()).mustRun(["history", "rm", "--all"]);
      expect(await listed()).toEqual([]);
      const expected = fleet.replicas.map(({ name }) => ({
        name,
        deleted: fleet.builds.flatMap(({ buildRef, replica }) => (replica.name === name ? [buildRef] : [])).sort(),
      }));
      const told = () => deletions.map(({ name, deleted }) => ({ name, deleted: deleted.toSorted() }));
      await pollUntil("every deletion to be told", async () => JSON.stringify(told()) === JSON.stringify(expected));
      for (const { control } of fleet.replicas) expect(await control.buildRefs()).toEqual([]);
    });

    test("`prune -a -f` empties every replica, and its total is the sum", async () => {
      const each = await Promise.all(fleet.replicas.map(({ address }) => clientOf(address).diskUsage()));
      const total = each.flat().reduce((sum, { Size }) => sum + Number(Size), 0);
      const { stdout } = await (await fleet.other()).mustRun(["prune", "-a", "-f"]);
      expect(stdout).toContain(`Total:\t${humanSize(total)}`);
      for (const { address } of fleet.replicas) expect(await clientOf(address).diskUsage()).toEqual([]);
    });
  },
  { ownReplicas: true },
);
