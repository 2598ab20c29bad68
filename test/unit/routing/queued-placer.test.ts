import { describe, expect, test } from "vitest";
import { type AskedBuild, PlacerRig } from "./placer-rig.ts";

function refusal({ outcome }: AskedBuild): string {
  return outcome?.t === "refused" ? `${outcome.error.kind}: ${outcome.error.message}` : `not refused: ${outcome?.t}`;
}

/** Where builds went, `-` for one that waits. */
function placesOf(builds: readonly AskedBuild[]): string {
  return builds.map(({ replicaId }) => replicaId ?? "-").join(" ");
}

/** Keep a fleet full with builds of nobody's. */
function fill(rig: PlacerRig, ...ids: string[]): void {
  for (const id of ids) rig.fleet.set(id, { runningBuilds: 4 });
}

describe("a build with a place", () => {
  test("is decided on at once, and counts before the next is", async () => {
    const rig = new PlacerRig();
    const builds = [1, 2, 3, 4].map((i) => rig.ask(`build ${i}`));
    expect(placesOf(builds)).toBe("a b c a");
    await rig.settled();
    expect(builds[0]!.outcome).toEqual({ t: "placed", replicaId: "a", reason: { t: "least loaded" } });
    expect(builds.flatMap(({ told }) => told)).toEqual([]);
    expect(rig.placer.census()).toEqual({ queued: 0, running: 4, oldestWaitMs: 0 });
  });

  test("goes where its key is warm", async () => {
    const rig = new PlacerRig();
    rig.memory.built("key", "b", "daemon of b");
    const build = rig.ask("build", { key: "key" });
    await rig.settled();
    expect(build.outcome).toEqual({ t: "placed", replicaId: "b", reason: { t: "warm" } });
  });
});

describe("a full fleet", () => {
  test("makes builds wait for room, and says where they stand", async () => {
    const rig = new PlacerRig();
    fill(rig, "a", "b", "c");
    const [first, second] = [rig.ask("first", { key: "x" }), rig.ask("second", { key: "y" })];
    expect(first.told).toEqual([]);
    await rig.settled();
    const cause = "all 3 replicas are full (4 builds each)";
    expect(first.told).toEqual([{ position: 1, length: 2, cause }]);
    expect(second.told).toEqual([{ position: 2, length: 2, cause }]);
    await rig.pass(1_000);
    rig.fleet.set("b", { runningBuilds: 3 });
    expect(first.replicaId).toBeUndefined();
    await rig.settled();
    expect(first.replicaId).toBe("b");
    expect(second.told.at(-1)).toEqual({ position: 1, length: 1, cause });
    expect(rig.placer.census()).toEqual({ queued: 1, running: 1, oldestWaitMs: 1_000 });
  });

  test("is said of the only replica in the singular", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const build = rig.ask("build");
    await rig.settled();
    expect(build.told[0]?.cause).toBe("the only replica is full (4 builds)");
  });

  test("gives free room to those who wait, not to whoever comes in the same turn", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const waiting = rig.ask("waiting", { key: "x" });
    await rig.settled();
    rig.fleet.set("a", { runningBuilds: 3 });
    const late = rig.ask("late", { key: "y" });
    expect(waiting.replicaId).toBe("a");
    expect(late.replicaId).toBeUndefined();
  });

  test("serves a repository with one build before the many of another", async () => {
    const rig = new PlacerRig(["a"], { maxBuilds: 2 });
    const many = rig.askMany("many", 5);
    const one = rig.ask("one", { key: "one" });
    expect(placesOf(many)).toBe("a a - - -");
    await rig.settled();
    expect(one.told.at(-1)?.position).toBe(1);
    many[0]!.end();
    await rig.settled();
    expect(one.replicaId).toBe("a");
    expect(placesOf(many)).toBe("a a - - -");
    many[1]!.end();
    await rig.settled();
    expect(placesOf(many)).toBe("a a a - -");
  });

  test("serves keys by their weight", async () => {
    const weightOf = (key: string) => (key === "heavy" ? 3 : 1);
    const rig = new PlacerRig(["a"], { maxBuilds: 8, weightOf });
    rig.fleet.set("a", { runningBuilds: 8 });
    const heavy = rig.askMany("heavy", 8);
    const light = rig.askMany("light", 8);
    await rig.settled();
    rig.fleet.set("a", { runningBuilds: 0 });
    await rig.settled();
    expect(heavy.filter(({ replicaId }) => replicaId)).toHaveLength(6);
    expect(light.filter(({ replicaId }) => replicaId)).toHaveLength(2);
  });
});

describe("a build whose warm replica is busy", () => {
  async function busyRig(patienceMs = 5_000): Promise<{ rig: PlacerRig; build: AskedBuild }> {
    const rig = new PlacerRig(["a", "b"], { patienceMs });
    rig.memory.built("key", "b", "daemon of b");
    fill(rig, "b");
    const build = rig.ask("build", { key: "key" });
    await rig.settled();
    return { rig, build };
  }

  test("waits for it, and goes there when it has room in time", async () => {
    const { rig, build } = await busyRig();
    expect(build.told).toEqual([{ position: 1, length: 1, cause: "b is warm for it and busy, other replicas in 5s" }]);
    await rig.pass(4_000);
    rig.fleet.set("b", { runningBuilds: 3 });
    await rig.settled();
    expect(build.outcome).toEqual({ t: "placed", replicaId: "b", reason: { t: "warm" } });
    expect(build.told).toHaveLength(1);
    expect(rig.clock.delaysMs).toEqual([]);
  });

  test("goes elsewhere when its patience is over", async () => {
    const { rig, build } = await busyRig();
    await rig.pass(4_999);
    expect(build.outcome).toBeUndefined();
    await rig.pass(1);
    const reason = { t: "spilled", from: "b", because: "full" };
    expect(build.outcome).toEqual({ t: "placed", replicaId: "a", reason });
  });

  test("waits for nothing with a patience of 0", async () => {
    const { build } = await busyRig(0);
    expect(build.replicaId).toBe("a");
    expect(build.told).toEqual([]);
  });

  test("goes elsewhere at once when that replica leaves the fleet meanwhile", async () => {
    const { rig, build } = await busyRig();
    rig.fleet.set("b", { state: { t: "draining", sinceMs: 0, reason: "an operator drains it" } });
    await rig.settled();
    const reason = { t: "spilled", from: "b", because: "draining" };
    expect(build.outcome).toEqual({ t: "placed", replicaId: "a", reason });
  });

  test("does not hold up builds of other keys", async () => {
    const { rig, build } = await busyRig();
    expect(rig.ask("other", { key: "other" }).replicaId).toBe("a");
    expect(build.replicaId).toBeUndefined();
  });

  test("spends no patience while nobody has room, and gets all of it once somebody has", async () => {
    const rig = new PlacerRig(["a", "b"]);
    rig.memory.built("key", "b", "daemon of b");
    fill(rig, "a", "b");
    const build = rig.ask("build", { key: "key" });
    await rig.settled();
    await rig.pass(60_000);
    rig.fleet.set("a", { runningBuilds: 3 });
    await rig.settled();
    expect(build.told.at(-1)?.cause).toBe("b is warm for it and busy, other replicas in 5s");
    await rig.pass(4_999);
    expect(build.replicaId).toBeUndefined();
    await rig.pass(1);
    expect(build.replicaId).toBe("a");
  });

  test("lets those behind it take places that it does not want, and spends no patience on that", async () => {
    const rig = new PlacerRig(["a", "b"]);
    rig.memory.built("of a", "a", "daemon of a");
    rig.memory.built("of b", "b", "daemon of b");
    fill(rig, "a", "b");
    const build = rig.ask("build", { key: "of b" });
    const others = rig.askMany("of a", 4);
    for (let i = 1; i <= 4; i++) {
      await rig.pass(4_000);
      rig.fleet.set("a", { runningBuilds: 3 });
      await rig.settled();
      expect(placesOf([build, ...others].slice(0, i + 1))).toBe(["-", ...Array(i).fill("a")].join(" "));
    }
    rig.fleet.set("a", { runningBuilds: 3 });
    await rig.settled();
    await rig.pass(4_999);
    expect(build.replicaId).toBeUndefined();
    await rig.pass(1);
    expect(build.replicaId).toBe("a");
  });

  test("lets them go first for twelve times its patience, and no longer", async () => {
    const rig = new PlacerRig(["a", "b"]);
    rig.memory.built("of a", "a", "daemon of a");
    rig.memory.built("of b", "b", "daemon of b");
    fill(rig, "a", "b");
    const build = rig.ask("build", { key: "of b" });
    const others = rig.askMany("of a", 10);
    for (let i = 0; i < 6; i++) {
      rig.fleet.set("a", { runningBuilds: 3 });
      await rig.settled();
      await rig.pass(10_000);
    }
    expect(placesOf([build, ...others.slice(0, 7)])).toBe("- a a a a a a -");
    rig.fleet.set("a", { runningBuilds: 3 });
    await rig.settled();
    expect(placesOf([build, others[6]!])).toBe("a -");
  });

  test("spends its patience together with the builds of its key that wait before it", async () => {
    const { rig, build } = await busyRig();
    const second = rig.ask("second", { key: "key" });
    await rig.pass(2_000);
    const third = rig.ask("third", { key: "key" });
    await rig.pass(3_000);
    expect(placesOf([build, second, third])).toBe("a a -");
    await rig.pass(2_000);
    expect(third.replicaId).toBe("a");
  });
});

describe("a replica that was just given a build", () => {
  test("gets the next once that is confirmed; meanwhile others are served", async () => {
    const rig = new PlacerRig(["a", "b"]);
    rig.memory.built("of a", "a", "");
    rig.memory.built("of b", "b", "");
    rig.fleet.set("a", { runningBuilds: 1, unconfirmedBuilds: 1 });
    const build = rig.ask("build", { key: "of a" });
    expect(build.replicaId).toBeUndefined();
    expect(rig.ask("other", { key: "of b" }).replicaId).toBe("b");
    await rig.settled();
    expect(build.told, "it is a matter of milliseconds").toEqual([]);
    rig.fleet.set("a", { unconfirmedBuilds: 0 });
    await rig.settled();
    expect(build.outcome).toEqual({ t: "placed", replicaId: "a", reason: { t: "warm" } });
  });
});

describe("a key at its maximum", () => {
  test("waits for one of its own builds to end, and holds up nobody else", async () => {
    const rig = new PlacerRig(["a"], { perKey: 2 });
    const builds = rig.askMany("key", 4);
    const other = rig.ask("other", { key: "other" });
    await rig.settled();
    expect(placesOf([...builds, other])).toBe("a a - - a");
    expect(builds[2]!.told).toEqual([
      { position: 1, length: 2, cause: "2 builds of it running already (queue.perKey)" },
    ]);
    builds[0]!.end();
    await rig.settled();
    expect(placesOf(builds)).toBe("a a a -");
  });
});

describe("no replica that takes builds", () => {
  test("makes builds and internal Solves wait until one does, and refuses a call", async () => {
    const rig = new PlacerRig([]);
    const build = rig.ask("build", { key: "key" });
    const internal = rig.ask("internal", { purpose: "internal" });
    const call = rig.ask("call", { purpose: "call" });
    await rig.settled();
    expect(refusal(call)).toBe("no_replica: no replica takes builds: no replica is known");
    const cause = "no replica takes builds: no replica is known";
    expect(build.told).toEqual([{ position: 1, length: 1, cause }]);
    expect(internal.told).toEqual([{ position: 1, length: 1, cause }]);
    await rig.pass(40_000);
    rig.fleet.set("a", { state: { t: "connecting", sinceMs: 0 } });
    await rig.settled();
    expect(build.told.at(-1)?.cause).toBe("no replica takes builds: a: connecting");
    rig.fleet.set("a", { state: { t: "ready", sinceMs: 0 } });
    await rig.settled();
    expect(placesOf([internal, build])).toBe("a a");
  });

  test("is described in bounded length", async () => {
    const rig = new PlacerRig([]);
    for (let i = 0; i < 100; i++) {
      rig.fleet.set(`buildkit-${i}`, { state: { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" } });
    }
    const build = rig.ask("build");
    await rig.settled();
    expect(build.told[0]!.cause).toMatch(/^no replica takes builds: buildkit-0: ejected .*…$/);
    expect(build.told[0]!.cause.length).toBeLessThan(600);
  });

  test("internal Solves and calls need no room on one that does", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const internal = rig.ask("internal", { purpose: "internal" });
    const call = rig.ask("call", { purpose: "call" });
    expect(placesOf([internal, call])).toBe("a a");
  });

  test("a refusal names each replica and why it is out, and one that this call could not connect to", async () => {
    const rig = new PlacerRig(["a", "b"]);
    rig.fleet.set("a", { state: { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED 10.0.0.7:1234" } });
    const excluded = new Map([
      ["a", "connect ECONNREFUSED 10.0.0.7:1234"],
      ["b", "no HTTP/2 SETTINGS within 10000 ms"],
    ]);
    const call = rig.ask("call", { purpose: "call", excluded });
    await rig.settled();
    expect(refusal(call)).toBe(
      "no_replica: no replica takes builds: a: ejected (connect ECONNREFUSED 10.0.0.7:1234), b: ready; " +
        "could not connect to b (no HTTP/2 SETTINGS within 10000 ms)",
    );
  });
});

describe("a replica that could not be reached for a build", () => {
  test("is tried again by it after 5 s when there is no other", async () => {
    const rig = new PlacerRig(["a"]);
    const build = rig.ask("build", { key: "key", excluded: new Map([["a", "connect ECONNREFUSED"]]) });
    await rig.pass(4_999);
    expect(build.told).toEqual([
      {
        position: 1,
        length: 1,
        cause: "no replica takes builds: a: ready; could not connect to a (connect ECONNREFUSED)",
      },
    ]);
    await rig.pass(1);
    expect(build.replicaId).toBe("a");
  });

  test("is not waited for when another takes builds meanwhile", async () => {
    const rig = new PlacerRig(["a"]);
    const build = rig.ask("build", { key: "key", excluded: new Map([["a", "connect ECONNREFUSED"]]) });
    await rig.pass(1_000);
    rig.fleet.set("b", {});
    await rig.settled();
    expect(build.replicaId).toBe("b");
  });

  test("keeps neither builds of other keys nor later ones of its key from the rest", async () => {
    const rig = new PlacerRig(["a"]);
    rig.ask("build", { key: "key", excluded: new Map([["a", "connect ECONNREFUSED"]]) });
    expect(rig.ask("other", { key: "other" }).replicaId).toBe("a");
  });
});

describe("the queue's bounds", () => {
  test("one build too many is refused with the number, and takes its place when one leaves", async () => {
    const rig = new PlacerRig(["a"], { queueBuilds: 2 });
    fill(rig, "a");
    const builds = rig.askMany("key", 3);
    await rig.settled();
    expect(refusal(builds[2]!)).toBe("queue_full: the queue is full: 2 builds (queue.builds)");
    expect(rig.placer.isFull).toBe(true);
    builds[0]!.signal.abort();
    await rig.settled();
    const late = rig.ask("late", { key: "key" });
    await rig.settled();
    expect(late.outcome).toBeUndefined();
  });

  test("a build that need not wait is not refused, however many do", async () => {
    const rig = new PlacerRig(["a", "b"], { queueBuilds: 1 });
    rig.memory.built("key", "b", "");
    fill(rig, "b");
    rig.ask("waits", { key: "key" });
    expect(rig.ask("build", { key: "other" }).replicaId).toBe("a");
  });

  test("with 0 none waits, and the refusal says what for", async () => {
    const rig = new PlacerRig(["a"], { queueBuilds: 0 });
    fill(rig, "a");
    const build = rig.ask("build");
    await rig.settled();
    expect(refusal(build)).toBe("queue_full: the only replica is full (4 builds), and nothing may wait (queue.builds)");
  });

  test("a build that has waited too long is refused with the time and what it waited for", async () => {
    const rig = new PlacerRig();
    fill(rig, "a", "b", "c");
    const build = rig.ask("build", { key: "key" });
    await rig.pass(1_799_999);
    expect(build.outcome).toBeUndefined();
    await rig.pass(1);
    expect(refusal(build)).toBe(
      "queue_timeout: waited 30m for a replica: all 3 replicas are full (4 builds each) (queue.timeout)",
    );
    expect(rig.placer.census()).toEqual({ queued: 0, running: 0, oldestWaitMs: 0 });
  });

  test("internal Solves have a bound of their own, and a time", async () => {
    const rig = new PlacerRig([], { queueBuilds: 1 });
    const [first, second] = [1, 2].map((i) => rig.ask(`internal ${i}`, { purpose: "internal" }));
    const build = rig.ask("build");
    await rig.settled();
    expect(refusal(second!)).toBe("queue_full: the queue is full: 1 internal build (queue.builds)");
    expect(build.outcome).toBeUndefined();
    expect(rig.placer.census().queued).toBe(1);
    await rig.pass(1_800_000);
    expect(refusal(first!)).toMatch(/^queue_timeout: waited 30m for a replica: no replica takes builds/);
  });
});

test("it is said when the queue has become full, and when it is no longer", async () => {
  const rig = new PlacerRig(["a"], { maxBuilds: 1, queueBuilds: 1 });
  const said: boolean[] = [];
  const cancel = rig.placer.onFullness(() => said.push(rig.placer.isFull));
  const [running, waiting] = rig.askMany("key", 2);
  await rig.settled();
  running!.end();
  await rig.settled();
  expect(waiting!.replicaId).toBe("a");
  expect(said).toEqual([true, false]);
  cancel();
  rig.ask("next", { key: "key" });
  await rig.settled();
  expect(said).toHaveLength(2);
});

describe("a client that leaves", () => {
  test("leaves the queue at once, and nothing of it stays", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const builds = rig.askMany("key", 3);
    await rig.settled();
    builds[0]!.signal.abort();
    expect(rig.placer.census().queued).toBe(2);
    await rig.pass(100);
    expect(builds.map(({ told }) => told.at(-1)?.position)).toEqual([1, 1, 2]);
    for (const { signal } of builds) signal.abort();
    await rig.pass(200);
    expect(rig.clock.delaysMs).toEqual([]);
    expect(rig.placer.census()).toEqual({ queued: 0, running: 0, oldestWaitMs: 0 });
    rig.fleet.set("a", { runningBuilds: 0 });
    await rig.settled();
    expect(rig.journal).toEqual([]);
  });

  test("is not placed when it has left before it asked", async () => {
    const rig = new PlacerRig(["a"]);
    const signal = AbortSignal.abort();
    const outcome = await rig.placer.place(
      {
        purpose: "build",
        key: undefined,
        fairKey: "client",
        excluded: new Map(),
        onChosen: () => expect.unreachable(),
        onWaiting: () => expect.unreachable(),
      },
      signal,
    );
    expect(outcome).toMatchObject({ t: "refused", error: { kind: "cancelled" } });
  });
});

describe("what a waiting build is told", () => {
  test("comes at most each 100 ms, and then as it is by then", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const builds = rig.askMany("key", 5);
    await rig.settled();
    const last = builds[4]!;
    expect(last.told.map(({ position }) => position)).toEqual([5]);
    for (const build of builds.slice(0, 3)) {
      build.signal.abort();
      await rig.pass(10);
    }
    expect(last.told.map(({ position }) => position)).toEqual([5]);
    await rig.pass(70);
    expect(last.told.map(({ position }) => position)).toEqual([5, 2]);
  });

  test("is not that others wait behind it", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    const first = rig.ask("first", { key: "key" });
    await rig.settled();
    rig.askMany("key", 5);
    await rig.pass(1_000);
    expect(first.told).toHaveLength(1);
  });

  test("comes to a newcomer at once, whoever has just been told", async () => {
    const rig = new PlacerRig(["a"]);
    fill(rig, "a");
    rig.ask("first", { key: "key" });
    await rig.pass(10);
    const second = rig.ask("second", { key: "key" });
    await rig.settled();
    expect(second.told.map(({ position }) => position)).toEqual([2]);
  });
});

describe("a placer that is stopped", () => {
  test("refuses what waits and whatever comes later, and leaves nothing running", async () => {
    const rig = new PlacerRig([]);
    const builds = [rig.ask("build", { key: "key" }), rig.ask("internal", { purpose: "internal" })];
    await rig.settled();
    rig.placer.stop();
    builds.push(rig.ask("late"));
    await rig.settled();
    for (const build of builds) expect(refusal(build)).toBe("shutting_down: the gateway is ending");
    expect(rig.clock.delaysMs).toEqual([]);
    expect(rig.fleet.listeners).toBe(0);
  });
});

test("an explanation is of the fleet and the memory as they are", () => {
  const rig = new PlacerRig();
  rig.memory.built("key", "b", "daemon of b");
  const { decision, replicas } = rig.placer.explain("key");
  expect(decision).toEqual({ t: "placed", replicaId: "b", reason: { t: "warm" } });
  expect(replicas.filter(({ isWarm }) => isWarm).map(({ id }) => id)).toEqual(["b"]);
  expect(rig.placer.explain(undefined).decision).toMatchObject({ replicaId: "a" });
});
