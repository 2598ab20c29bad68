import { describe, expect, test } from "vitest";
import { endpoint, refusingReplica, startFleet, startReplica } from "../../support/fleet-under-test.ts";

/** Where nothing listens. */
const nowhere = { address: { t: "unix", path: "/nonexistent/buildkitd.sock" } } as const;

describe("a replica that discovery reports", () => {
  test("takes builds after one good check, when its facts are known", async () => {
    const replica = await startReplica({ workerId: "w" });
    const { fleet } = startFleet([endpoint("a", replica)]);
    expect(fleet.replicas()).toMatchObject([{ id: "a", state: { t: "connecting" }, runningBuilds: 0 }]);
    await fleet.ready();
    expect(fleet.replica("a")?.state.t).toBe("ready");
    expect(fleet.facts("a")).toMatchObject({
      buildkitVersion: "v0.25.2",
      workerId: "w",
      platforms: ["linux/amd64", "linux/arm/v7"],
    });
    expect(fleet.facts("a")?.pongBytes?.length).toBeGreaterThan(0);
  });

  test("is checked by Info where it serves no health", async () => {
    const replica = await startReplica({ health: undefined });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    replica.calls.length = 0;
    await lab.nextCheck();
    expect(replica.calls).toEqual(["/moby.buildkit.v1.Control/Info"]);
  });

  test("is out while its health service says so", async () => {
    const lab = startFleet([endpoint("a", await startReplica({ health: "NOT_SERVING" }))]);
    await lab.reaches("a", "ejected");
    expect(lab.reason("a")).toBe("its health service says NOT_SERVING");
  });

  test("is out when nobody listens there, with the reason", async () => {
    const replica = await refusingReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.reaches("a", "ejected");
    const reason = `connect ECONNREFUSED 127.0.0.1:${replica.address.port}`;
    expect(lab.fleet.describe()).toBe(`a: ejected (${reason})`);
  });

  test("is out when it lets a check wait", async () => {
    const lab = startFleet([endpoint("a", await startReplica({ isSilent: true }))], { timeoutMs: 50 });
    await lab.reaches("a", "ejected");
    expect(lab.reason("a")).toBe("no answer in 50 ms");
  });

  test("waits longer after each failed check, and takes builds after the first good one", async () => {
    const { address } = await refusingReplica();
    const lab = startFleet([endpoint("a", { address })]);
    await lab.reaches("a", "ejected");
    const waitedMs: number[] = [];
    for (let check = 0; check < 6; check++) {
      waitedMs.push(lab.clock.delaysMs[0]!);
      await lab.nextCheck();
    }
    expect(waitedMs).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000]);
    await startReplica({}, address.port);
    await Promise.all([lab.reaches("a", "ready"), lab.nextCheck()]);
  });
});

describe("a ready replica", () => {
  test("survives one failed check and is out after two in a row", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    replica.behaviour.health = "NOT_SERVING";
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
    replica.behaviour.health = "SERVING";
    await lab.nextCheck();
    replica.behaviour.health = "NOT_SERVING";
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("ejected");
  });

  test("is out at once when it is killed, before the next check is due", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    replica.kill();
    await lab.reaches("a", "ejected");
    expect(lab.clock.nowMs()).toBe(0);
  });

  test("stays ready when it only closes its connection", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    const checked = lab.clock.nextTimer();
    replica.sendGoaway();
    await checked;
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
  });

  test("is out at once when the data plane cannot reach it, and back after a good check", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    await lab.fleet.ready();
    lab.fleet.reportFailure("a", "connection reset");
    expect(lab.fleet.replica("a")?.state).toEqual({ t: "ejected", sinceMs: 0, reason: "connection reset" });
    lab.fleet.reportFailure("a", "connection reset by another stream");
    expect(lab.clock.delaysMs).toEqual([0]);
    lab.clock.advance(0);
    await lab.reaches("a", "ready");
  });

  test("stays ready while it is checked after a client lost its connection, and is checked once for all of them", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)], { failuresToEject: 3 });
    await lab.fleet.ready();
    replica.calls.length = 0;
    const checked = lab.clock.nextTimer();
    for (let client = 0; client < 100; client++) lab.fleet.reportLost("a", "connection reset");
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
    await checked;
    expect(lab.fleet.replica("a")?.state.t).toBe("ready");
    expect(replica.calls.filter((path) => path.includes("Health"))).toHaveLength(1);
  });

  test("is out if the check after a client lost its connection fails, however many may fail otherwise", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)], { failuresToEject: 3 });
    await lab.fleet.ready();
    replica.behaviour.health = "NOT_SERVING";
    lab.fleet.reportLost("a", "connection reset");
    await lab.reaches("a", "ejected");
    expect(lab.reason("a")).toBe("its health service says NOT_SERVING");
    lab.fleet.reportLost("a", "connection reset");
    expect(lab.clock.delaysMs).toHaveLength(1);
  });

  test("drains after a GOAWAY until a check on a new connection succeeds", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.reportDraining("a", "it sent GOAWAY");
    expect(lab.fleet.replica("a")?.state).toEqual({ t: "draining", sinceMs: 0, reason: "it sent GOAWAY" });
    lab.clock.advance(0);
    await lab.reaches("a", "ready");
    lab.fleet.reportDraining("a", "it sent GOAWAY");
    replica.kill();
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("ejected");
  });

  test("that drains has as many chances as one that does not", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.drain("a");
    replica.behaviour.health = "NOT_SERVING";
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    await lab.nextCheck();
    expect(lab.fleet.replica("a")).toMatchObject({ state: { t: "ejected" }, isDrainedByOperator: true });
  });

  test("says again what it can do every minute, without being out meanwhile", async () => {
    const replica = await startReplica({ workerId: "before" });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    replica.behaviour.workerId = "after";
    for (let check = 0; check < 11; check++) await lab.nextCheck();
    expect(lab.fleet.facts("a")?.workerId).toBe("before");
    await lab.nextCheck();
    await expect.poll(() => lab.fleet.facts("a")?.workerId).toBe("after");
    expect(lab.fleet.replica("a")?.state).toEqual({ t: "ready", sinceMs: 0 });
  });

  test("that is another daemon after a restart has the new one's facts", async () => {
    const replica = await startReplica({ workerId: "first" });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    replica.kill();
    await lab.reaches("a", "ejected");
    await startReplica({ workerId: "second" }, replica.address.port);
    lab.clock.advance(lab.clock.delaysMs[0]!);
    await lab.reaches("a", "ready");
    expect(lab.fleet.facts("a")?.workerId).toBe("second");
  });
});

describe("what discovery says", () => {
  test("a terminating replica drains, whatever its health, and is asked for its facts no more", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.report(endpoint("a", replica, { isTerminating: true }));
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    replica.calls.length = 0;
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    expect(replica.calls).toEqual(["/grpc.health.v1.Health/Check"]);
    lab.report(endpoint("a", replica));
    await lab.reaches("a", "ready");
  });

  test("a replica that it no longer reports is gone; its builds are counted until they end", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    const release = lab.fleet.buildStarted("a", "build");
    lab.report();
    expect(lab.fleet.replicas()).toMatchObject([{ id: "a", state: { t: "gone" }, runningBuilds: 1 }]);
    expect(lab.fleet.describe()).toBe("no replica is known");
    release();
    expect(lab.fleet.replicas()).toMatchObject([{ id: "a", runningBuilds: 0 }]);
    lab.clock.advance(5_000);
    await expect.poll(() => lab.fleet.replicas()).toEqual([]);
    expect(lab.clock.delaysMs).toEqual([]);
  });

  test("a replica that comes back connects anew and keeps its running builds", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    const release = lab.fleet.buildStarted("a", "build");
    lab.report();
    lab.report(endpoint("a", replica));
    expect(lab.fleet.replica("a")).toMatchObject({ state: { t: "connecting" }, runningBuilds: 1 });
    await lab.reaches("a", "ready");
    release();
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(0);
  });

  test("a replica that moved is another daemon until it has answered", async () => {
    const lab = startFleet([endpoint("a", await startReplica({ workerId: "first" }))]);
    await lab.fleet.ready();
    lab.report(endpoint("a", await startReplica({ workerId: "second" })));
    expect(lab.fleet.replica("a")?.state.t).toBe("connecting");
    await lab.reaches("a", "ready");
    expect(lab.fleet.facts("a")?.workerId).toBe("second");
  });
});

describe("the fleet as a whole", () => {
  test("lists its replicas by id and says of each why it is out", async () => {
    const [up, down] = [await startReplica(), await refusingReplica()];
    const lab = startFleet([endpoint("c", up), endpoint("b", down), endpoint("a", up)]);
    await Promise.all([lab.reaches("c", "ready"), lab.reaches("b", "ejected"), lab.reaches("a", "ready")]);
    expect(lab.fleet.replicas().map(({ id }) => id)).toEqual(["a", "b", "c"]);
    const reason = `connect ECONNREFUSED 127.0.0.1:${down.address.port}`;
    expect(lab.fleet.describe()).toBe(`a: ready, b: ejected (${reason}), c: ready`);
  });

  test("names ten replicas and counts the others", async () => {
    const lab = startFleet(Array.from({ length: 50 }, (_, index) => endpoint(`r${100 + index}`, nowhere)));
    const description = lab.fleet.describe();
    expect(description).toMatch(/^r100: connecting, r101: .* r109: connecting, and 40 more$/);
  });

  test("gives the same list until something changes", async () => {
    const lab = startFleet([endpoint("a", await startReplica()), endpoint("b", await startReplica())]);
    await Promise.all([lab.reaches("a", "ready"), lab.reaches("b", "ready")]);
    const before = lab.fleet.replicas();
    expect(lab.fleet.replicas()).toBe(before);
    lab.fleet.buildStarted("b", "build");
    const after = lab.fleet.replicas();
    expect(after).toMatchObject([{ runningBuilds: 0 }, { runningBuilds: 1 }]);
    expect(before).toMatchObject([{ runningBuilds: 0 }, { runningBuilds: 0 }]);
    expect(after[0]).toBe(before[0]);
    lab.report(endpoint("a", lab.fleet.replica("a")!), endpoint("c", nowhere));
    expect(lab.fleet.replicas().map(({ id, state }) => `${id}: ${state.t}`)).toEqual([
      "a: ready",
      "b: gone",
      "c: connecting",
    ]);
  });

  test("tells of every change of load until it is heard no more", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    let heard = 0;
    const cancel = lab.fleet.onLoad(() => heard++);
    const end = lab.fleet.buildStarted("a", "build");
    expect(heard).toBe(1);
    cancel();
    end();
    expect(heard).toBe(1);
  });

  test("counts a build once, however often it ends", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    await lab.fleet.ready();
    const releases = [lab.fleet.buildStarted("a", "one"), lab.fleet.buildStarted("a", "two")];
    releases[0]!();
    releases[0]!();
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    releases[1]!();
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(0);
    lab.fleet.buildStarted("unknown", "build")();
  });

  test("says what its first ready replica says, and what it said last when none is left", async () => {
    const [a, b] = [await startReplica({ workerId: "of a" }), await startReplica({ workerId: "of b" })];
    const lab = startFleet([endpoint("a", a), endpoint("b", b)]);
    expect(lab.fleet.representative().workerId).toBe("buildkit-gateway");
    await Promise.all([lab.reaches("a", "ready"), lab.reaches("b", "ready")]);
    expect(lab.fleet.representative().workerId).toBe("of a");
    lab.fleet.reportFailure("a", "lost");
    expect(lab.fleet.representative().workerId).toBe("of b");
    lab.fleet.reportFailure("b", "lost");
    expect(lab.fleet.representative().workerId).toBe("of b");
  });

  test("leaves no timer and no replica when it is stopped", async () => {
    const lab = startFleet([endpoint("a", await startReplica()), endpoint("b", await refusingReplica())]);
    await Promise.all([lab.fleet.ready(), lab.reaches("b", "ejected")]);
    lab.fleet.stop();
    expect(lab.clock.delaysMs).toEqual([]);
    expect(lab.fleet.describe()).toBe("no replica is known");
  });
});
