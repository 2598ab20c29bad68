import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import type { BuildHistoryEvent } from "../../../src/buildkit/wire-contracts.ts";
import type { EndedBuild } from "../../../src/replicas/history-follower.ts";
import { endpoint, type FleetUnderTest, startFleet, startReplica } from "../../support/fleet-under-test.ts";
import type { GrpcReplica, GrpcReplicaBehaviour } from "../../support/grpc-replica.ts";

/** Loopback is quick, but a busy machine is not. */
const SOON = { timeout: 4_000, interval: 10 };

let createdAtSeconds = 1;

/** A build begins on the daemon, for those that follow its history now or later. */
function begin(replica: GrpcReplica, Ref: string): BuildHistoryEvent {
  const event: BuildHistoryEvent = {
    type: "STARTED",
    record: { Ref, CreatedAt: { seconds: createdAtSeconds++, nanos: 0 } },
  };
  replica.behaviour.history.push(event);
  replica.tell(event);
  return event;
}

/** The build that began so ends. */
function complete(replica: GrpcReplica, started: BuildHistoryEvent): void {
  const event: BuildHistoryEvent = { ...started, type: "COMPLETE" };
  const { history } = replica.behaviour;
  history.splice(history.indexOf(started), 1, event);
  replica.tell(event);
}

/** A fleet of one replica, `a`, whose history is followed. */
async function followed(
  behaviour: Partial<GrpcReplicaBehaviour> = {},
): Promise<{ replica: GrpcReplica; lab: FleetUnderTest }> {
  const replica = await startReplica(behaviour);
  const lab = startFleet([endpoint("a", replica)]);
  await lab.fleet.ready();
  await expect.poll(() => replica.followers, SOON).toBe(1);
  return { replica, lab };
}

/** Move time to when the history is asked for again. */
async function reopened(replica: GrpcReplica, lab: FleetUnderTest): Promise<void> {
  const { length } = replica.historyRequests;
  lab.clock.advance(lab.clock.delaysMs[0]!);
  await expect.poll(() => replica.historyRequests.length, SOON).toBe(length + 1);
}

describe("load", () => {
  test("counts builds that others began, before us and since", async () => {
    const replica = await startReplica();
    const first = begin(replica, "before");
    const lab = startFleet([endpoint("a", replica)]);
    await lab.runs("a", 1);
    const second = begin(replica, "since");
    await lab.runs("a", 2);
    complete(replica, first);
    complete(replica, second);
    await lab.runs("a", 0);
  });

  test("counts a build of ours once, from the moment it is placed until both sides have ended it", async () => {
    const { replica, lab } = await followed();
    const end = lab.fleet.buildStarted("a", "ours");
    expect(lab.fleet.replica("a")).toMatchObject({ runningBuilds: 1, unconfirmedBuilds: 1 });
    const started = begin(replica, "ours");
    await lab.becomes("a", ({ unconfirmedBuilds }) => unconfirmedBuilds === 0);
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    end();
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    expect(lab.fleet.idleMs("a")).toBe(0);
    complete(replica, started);
    await lab.runs("a", 0);
    lab.clock.advance(40);
    expect(lab.fleet.idleMs("a")).toBe(40);
  });

  test("of a replica that is draining is followed, too", async () => {
    const replica = await startReplica();
    const started = begin(replica, "theirs");
    const lab = startFleet([endpoint("a", replica, { isTerminating: true })]);
    await lab.runs("a", 1);
    await lab.reaches("a", "draining");
    complete(replica, started);
    await lab.runs("a", 0);
  });

  test("survives a history that is lost and opened again", async () => {
    const { replica, lab } = await followed();
    const ended = begin(replica, "ends while nobody listens");
    begin(replica, "goes on");
    await lab.runs("a", 2);
    replica.endHistory(status.UNAVAILABLE);
    await expect.poll(() => lab.clock.delaysMs[0], SOON).toBe(500);
    complete(replica, ended);
    begin(replica, "began while nobody listened");
    begin(replica, "began then, too");
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(2);
    await reopened(replica, lab);
    await lab.becomes("a", ({ runningBuilds, loadUnknown }) => runningBuilds === 3 && loadUnknown === undefined);
    lab.clock.advance(1_000);
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(3);
  });

  test("of a replica that moved to another daemon is that daemon's", async () => {
    const { replica, lab } = await followed({ workerId: "first" });
    begin(replica, "on the first");
    begin(replica, "on the first, too");
    await lab.runs("a", 2);
    expect(lab.fleet.replica("a")?.identity).toBe("first");
    const second = await startReplica({ workerId: "second" });
    begin(second, "on the second");
    lab.report(endpoint("a", second));
    expect(lab.fleet.replica("a")).toMatchObject({ identity: "", runningBuilds: 0 });
    await lab.runs("a", 1);
    expect(lab.fleet.replica("a")?.identity).toBe("second");
    expect(replica.followers).toBe(0);
  });

  test("of a daemon that was replaced at its address is the new one's, and its identity is told", async () => {
    const { replica, lab } = await followed({ workerId: "first" });
    begin(replica, "lost with it");
    await lab.runs("a", 1);
    replica.kill();
    await lab.reaches("a", "ejected");
    const second = await startReplica({ workerId: "second" }, replica.address.port);
    begin(second, "one");
    begin(second, "two");
    lab.clock.advance(lab.clock.delaysMs[0]!);
    await lab.becomes("a", ({ identity }) => identity === "second");
    await lab.reaches("a", "ready");
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(2);
  });
});

describe("a history", () => {
  test("that a daemon does not keep is asked for once on each connection", async () => {
    const replica = await startReplica({ historyFailure: status.UNIMPLEMENTED });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.buildStarted("a", "ours");
    await lab.becomes("a", ({ unconfirmedBuilds }) => unconfirmedBuilds === 0);
    for (let check = 0; check < 20; check++) await lab.nextCheck();
    expect(lab.clock.nowMs()).toBe(100_000);
    expect(replica.historyRequests).toHaveLength(1);
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    lab.fleet.reportLost("a", "connection reset");
    await expect.poll(() => replica.historyRequests.length, SOON).toBe(2);
  });

  test("that fails again and again is asked for less and less often", async () => {
    const { replica, lab } = await followed();
    const waitedMs: number[] = [];
    replica.behaviour.historyFailure = status.INTERNAL;
    replica.endHistory(status.INTERNAL);
    for (let round = 0; round < 3; round++) {
      // The next check is due after 5 s.
      await expect.poll(() => lab.clock.delaysMs.length, SOON).toBe(2);
      waitedMs.push(lab.clock.delaysMs[0]!);
      await reopened(replica, lab);
    }
    expect(waitedMs).toEqual([500, 1_000, 2_000]);
  });

  test("with a record that is too large for a message is asked for what runs alone", async () => {
    const { replica, lab } = await followed();
    expect(replica.historyRequests).toMatchObject([{ ActiveOnly: false, Limit: 0 }]);
    replica.endHistory(status.RESOURCE_EXHAUSTED);
    await expect.poll(() => lab.clock.delaysMs[0], SOON).toBe(500);
    await reopened(replica, lab);
    expect(replica.historyRequests[1]).toMatchObject({ ActiveOnly: true });
  });

  test("does not keep a daemon from ending: after a GOAWAY it is followed on a new connection", async () => {
    const { replica, lab } = await followed();
    replica.sendGoaway(60_000);
    await expect.poll(() => replica.historyRequests.length, SOON).toBe(2);
    await expect.poll(() => replica.followers, SOON).toBe(1);
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
  });

  test("is followed no longer when the fleet is stopped", async () => {
    const { replica, lab } = await followed();
    begin(replica, "theirs");
    await lab.runs("a", 1);
    lab.fleet.buildStarted("a", "ours");
    lab.fleet.stop();
    await expect.poll(() => replica.followers, SOON).toBe(0);
    expect(lab.clock.delaysMs).toEqual([]);
  });
});

describe("ends of builds", () => {
  test("are told with what is known of the build, those from before us as well", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    const ended: [string, EndedBuild][] = [];
    const cancel = lab.fleet.onBuildEnded((replicaId, build) => ended.push([replicaId, build]));
    lab.clock.advance(100_000);
    replica.behaviour.history.push({
      type: "COMPLETE",
      record: {
        Ref: "before",
        FrontendAttrs: { "vcs:source": "https://github.com/acme/app" },
        Exporters: [{ Type: "image", Attrs: { name: "acme/app" } }],
        CompletedAt: { seconds: 40, nanos: 0 },
        logs: { digest: "sha256:1" },
      },
    });
    await expect.poll(() => ended.length, SOON).toBe(1);
    expect(ended[0]).toEqual([
      "a",
      {
        buildRef: "before",
        attrs: new Map([["vcs:source", "https://github.com/acme/app"]]),
        imageNames: ["acme/app"],
        isSuccess: true,
        ageMs: 60_000,
        digests: ["sha256:1"],
      },
    ]);
    replica.tell({ type: "DELETED", record: { Ref: "before" } });
    replica.tell({ type: "COMPLETE", record: { Ref: "failed", error: Buffer.of(8, 2) } });
    await expect.poll(() => ended.length, SOON).toBe(2);
    expect(ended[1]).toMatchObject(["a", { buildRef: "failed", isSuccess: false, ageMs: 0 }]);
    cancel();
    begin(replica, "marks the end");
    await lab.runs("a", 1);
    expect(ended).toHaveLength(2);
  });
});

test("the age of what a replica has built is told by its own clock", async () => {
  const replica = await startReplica({ timestamp: "1970-01-01T01:00:00.000000001Z" });
  replica.behaviour.history.push({
    type: "COMPLETE",
    record: { Ref: "before", CompletedAt: { seconds: 3_570, nanos: 0 } },
  });
  const lab = startFleet([endpoint("a", replica)]);
  const ages: number[] = [];
  lab.fleet.onBuildEnded((_replicaId, { ageMs }) => ages.push(ageMs));
  await expect.poll(() => ages, SOON).toEqual([30_000]);
});

describe("what runs", () => {
  test("is known before the first build is placed", async () => {
    const replica = await startReplica();
    begin(replica, "theirs");
    const lab = startFleet([endpoint("a", replica)]);
    expect(lab.fleet.replica("a")?.loadUnknown).toBe("its history has not been read yet");
    const { runningBuilds, loadUnknown } = await lab.reaches("a", "ready");
    expect([runningBuilds, loadUnknown]).toEqual([1, undefined]);
  });

  test("is waited for a second at most, is not known then, and is asked for again at the next check", async () => {
    const replica = await startReplica({ isListingSilent: true });
    const lab = startFleet([endpoint("a", replica)]);
    const { loadUnknown } = await lab.reaches("a", "ready");
    expect(loadUnknown).toBe("its history has not been read yet");
    replica.behaviour.isListingSilent = false;
    await lab.nextCheck();
    await lab.becomes("a", (now) => now.loadUnknown === undefined);
    expect(replica.listings).toBe(2);
  });

  test("is listed again after a minute or so, which ends a build whose end was never told", async () => {
    const { replica, lab } = await followed();
    const phantom = begin(replica, "phantom");
    begin(replica, "runs");
    await lab.runs("a", 2);
    const { history } = replica.behaviour;
    history.splice(history.indexOf(phantom), 1);
    for (let check = 0; check < 8; check++) await lab.nextCheck();
    expect(replica.listings).toBe(1);
    await lab.nextCheck();
    await lab.runs("a", 1);
    expect(replica.listings).toBe(2);
  });

  test("is not listed again where nothing is counted", async () => {
    const { replica, lab } = await followed();
    for (let check = 0; check < 30; check++) await lab.nextCheck();
    expect(replica.listings).toBe(1);
  });

  test("is listed at once where a build of ours is overdue, and counts as long as it is in there", async () => {
    const { replica, lab } = await followed();
    const end = lab.fleet.buildStarted("a", "ours");
    const ours = begin(replica, "ours");
    await lab.becomes("a", ({ unconfirmedBuilds }) => unconfirmedBuilds === 0);
    end();
    for (let check = 0; check < 6; check++) await lab.nextCheck();
    await expect.poll(() => replica.listings, SOON).toBe(2);
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    complete(replica, ours);
    await lab.runs("a", 0);
  });

  test("is not changed by a record that is deleted while its build runs", async () => {
    const { replica, lab } = await followed();
    begin(replica, "runs");
    replica.tell({ type: "DELETED", record: { Ref: "runs" } });
    begin(replica, "marks the end");
    await lab.runs("a", 2);
  });
});
