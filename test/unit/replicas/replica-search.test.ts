import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { contentRpcs, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { ContentOwners } from "../../../src/replicas/content-owners.ts";
import { ReplicaSearch } from "../../../src/replicas/replica-search.ts";
import { endpoint, startFleet, startReplica } from "../../support/fleet-under-test.ts";
import { type GrpcReplica, refusal } from "../../support/grpc-replica.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

async function startSearch(timeoutMs = 30_000) {
  const [a, b, c] = [await startReplica(), await startReplica(), await startReplica()];
  const lab = startFleet([endpoint("a", a), endpoint("b", b), endpoint("c", c)]);
  await Promise.all(["a", "b", "c"].map((id) => lab.reaches(id, "ready")));
  const owners = new ContentOwners();
  const search = new ReplicaSearch({ fleet: lab.fleet, clock: lab.clock, owners, timeoutMs });
  return { search, owners, lab, a, b, c };
}

/** The replica has content of these digests. */
function holds(replica: GrpcReplica, ...digests: string[]): void {
  replica.unary.set(contentRpcs.Info.path, ({ digest }) => {
    if (digests.includes(String(digest))) return { info: { digest } };
    throw refusal(status.NOT_FOUND, "not found");
  });
}

function timesAsked(path: string, ...replicas: GrpcReplica[]): number[] {
  return replicas.map(({ calls }) => calls.filter((called) => called === path).length);
}

describe("a build is found", () => {
  test("where it is known to be, and nobody is asked", async () => {
    const { search, lab, a, b, c } = await startSearch();
    b.tell({ type: "STARTED", record: { Ref: "r" } });
    await expect.poll(() => lab.fleet.holdersOf("r"), SOON).toEqual(["b"]);
    expect(await search.build("r")).toEqual({ t: "found", replicaId: "b" });
    expect(timesAsked(controlRpcs.ListenBuildHistory.path, a, b, c)).toEqual([0, 0, 0]);
  });

  test("by asking all, and those that do not answer are not waited for", async () => {
    const { search, a, b } = await startSearch();
    b.behaviour.history.push({ type: "COMPLETE", record: { Ref: "r" } });
    a.behaviour.isSilent = true;
    expect(await search.build("r")).toEqual({ t: "found", replicaId: "b" });
  });

  test("nowhere only if every replica has said so", async () => {
    const { search, lab, a } = await startSearch(50);
    expect(await search.build("r")).toEqual({ t: "absent" });
    a.behaviour.isSilent = true;
    lab.fleet.reportFailure("c", "lost");
    expect(await search.build("r")).toEqual({
      t: "unknown",
      missing: [
        { id: "c", reason: "lost" },
        { id: "a", reason: "no answer in 50 ms" },
      ],
    });
  });
});

describe("content is found", () => {
  test("where health checks give up the connection that is asked over", async () => {
    const { search, lab, a, b, c } = await startSearch();
    holds(a);
    holds(c);
    const found = search.content("d");
    await expect.poll(() => timesAsked(contentRpcs.Info.path, a, b, c), SOON).toEqual([1, 1, 1]);
    holds(b, "d");
    lab.fleet.reportLost("b", "connection reset");
    expect(await found).toEqual({ t: "found", replicaId: "b" });
  });

  test("while the connection of health checks is made anew", async () => {
    const { search, lab, a, b, c } = await startSearch();
    for (const replica of [a, c]) holds(replica);
    holds(b, "d");
    lab.fleet.reportDraining("b", "GOAWAY");
    expect(lab.fleet.client("b")).toBeUndefined();
    expect(await search.content("d")).toEqual({ t: "found", replicaId: "b" });
  });

  test("on a replica that is only just being asked for the first time", async () => {
    const a = await startReplica();
    holds(a, "d");
    const lab = startFleet([endpoint("a", a)]);
    const search = new ReplicaSearch({
      fleet: lab.fleet,
      clock: lab.clock,
      owners: new ContentOwners(),
      timeoutMs: 30_000,
    });
    expect(await search.content("d")).toEqual({ t: "found", replicaId: "a" });
  });

  test("by asking all at once, and is remembered", async () => {
    const { search, a, b, c } = await startSearch();
    holds(a);
    holds(b, "d");
    holds(c);
    expect(search.knownOwners("d")).toEqual([]);
    expect(await search.content("d")).toEqual({ t: "found", replicaId: "b" });
    expect(search.knownOwners("d")).toEqual(["b"]);
    expect(await search.content("d")).toEqual({ t: "found", replicaId: "b" });
    expect(timesAsked(contentRpcs.Info.path, a, b, c)).toEqual([1, 1, 1]);
  });

  test("once for all who ask at the same time", async () => {
    const { search, a, b, c } = await startSearch();
    for (const replica of [a, b, c]) holds(replica);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => search.content("d")));
    expect(outcomes.every(({ t }) => t === "absent")).toBe(true);
    expect(timesAsked(contentRpcs.Info.path, a, b, c)).toEqual([1, 1, 1]);
  });

  test("elsewhere when the owner that is remembered cannot be asked", async () => {
    const { search, lab, owners, a, c } = await startSearch();
    owners.learn("b", ["d"]);
    lab.fleet.reportFailure("b", "lost");
    holds(a);
    holds(c, "d");
    expect(await search.content("d")).toEqual({ t: "found", replicaId: "c" });
  });

  test("nowhere when a replica that may have it is missing: that is not known", async () => {
    const { search, lab, a, c } = await startSearch();
    lab.fleet.reportFailure("b", "lost");
    for (const replica of [a, c]) holds(replica);
    expect(await search.content("d")).toEqual({ t: "unknown", missing: [{ id: "b", reason: "lost" }] });
  });
});
