import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { brokenPlacer, gatedRig, QUEUE_FULL, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

/** Of the builds that {@link solve} makes. */
const KEY = "github.com/acme/app";

describe("a held build that is cancelled", () => {
  test("ends its Status and Session, and answers its frontend's calls then and later", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.session(client, "session-of-r");
    rig.status(client, "r");
    rig.bridge(client, "r", "ping");
    const call = rig.solve(client, solve("r"));
    await settled();
    call.end();
    expect(rig.journal).toEqual(["ping ✗ cancelled", "status r ✗ cancelled", "session session-of-r ✗ cancelled"]);
    rig.bridge(client, "r", "return");
    expect(rig.journal.at(-1)).toBe("return ✗ cancelled");
    gate.open();
    await settled();
    expect(client.connects).toEqual([]);
    expect(rig.journal).toHaveLength(4);
    expect(rig.groups.census).toMatchObject({ calls: 0, waiting: 0 });
  });

  test("is over although its replica is being connected to", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    rig.status(client, "r");
    const call = rig.solve(client, solve("r"));
    await settled();
    expect(rig.load.get("a")).toBe(1);
    call.end();
    expect(rig.load.get("a")).toBe(0);
    connectNow();
    await settled();
    expect(rig.journal).toEqual(["status r ✗ cancelled"]);
    expect(rig.reported).toEqual([]);
  });

  test("takes only what is its own with it when others are held beside it", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.session(client, "shared");
    const calls = ["t1", "t2", "t3"].map((name) => {
      rig.session(client, `session-of-${name}`);
      rig.status(client, name);
      rig.bridge(client, name);
      return rig.solve(client, solve(name, { inputSessions: ["shared"] }));
    });
    await settled();
    calls[0]!.end();
    expect(rig.journal.toSorted()).toEqual([
      "bridge t1 ✗ cancelled",
      "session session-of-t1 ✗ cancelled",
      "status t1 ✗ cancelled",
    ]);
    gate.open();
    await settled();
    expect(rig.journal.slice(3)).toEqual(
      [
        "session shared",
        ...["t2", "t3"].flatMap((t) => [`session session-of-${t}`, `status ${t}`, `bridge ${t}`, `solve ${t}`]),
      ].map((name) => `${name} → a`),
    );
    expect(rig.load.get("a")).toBe(2);
  });

  test("leaves a session that another held build has as its own", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.session(client, "both");
    const first = rig.solve(client, solve("r1", { buildSession: "both" }));
    rig.solve(client, solve("r2", { buildSession: "both" }));
    await settled();
    first.end();
    expect(rig.journal).toEqual([]);
    gate.open();
    await settled();
    expect(rig.journal).toEqual(["session both → a", "solve r2 → a"]);
  });

  test("leaves a shared session to the others when it has none of its own", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.session(client, "shared");
    const first = rig.solve(client, solve("r1", { buildSession: "", inputSessions: ["shared"] }));
    rig.solve(client, solve("r2", { inputSessions: ["shared"] }));
    first.end();
    gate.open();
    await settled();
    expect(rig.journal).toEqual(["session shared → a", "solve r2 → a"]);
  });

  test("does not take the next build of its connection with it", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    const first = rig.solve(client, solve("r1"));
    await settled();
    first.end();
    rig.session(client, "session-of-r2");
    rig.solve(client, solve("r2"));
    connectNow();
    await settled();
    expect(rig.journal).toEqual(["session session-of-r2 → a", "solve r2 → a"]);
  });
});

test("a Status that is cancelled while its build is held disturbs nothing", async () => {
  const { rig, gate } = gatedRig(["a"]);
  const client = new ScriptedClient();
  rig.solve(client, solve("r"));
  const status = rig.status(client, "r");
  rig.session(client, "session-of-r");
  status.end();
  gate.open();
  await settled();
  expect(rig.journal).toEqual(["solve r → a", "session session-of-r → a"]);
});

describe("a replica that cannot be reached", () => {
  test("is reported, left out, and the build goes elsewhere, counted once", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    const order: string[] = [];
    for (let i = 0; i < 2; i++) {
      const probe = new RoutingRig(rig.replicas.filter((id) => !order.includes(id)));
      probe.solve(new ScriptedClient(), solve("r"));
      await settled();
      order.push(probe.replicaOf("solve r")!);
    }
    client.cannotReach(order[0]!);
    rig.session(client, "session-of-r");
    const call = rig.solve(client, solve("r"));
    await settled();
    expect(client.connects).toEqual(order);
    expect(rig.reported).toEqual([order[0]]);
    expect(rig.replicaOf("solve r")).toBe(order[1]);
    expect(rig.replicaOf("session session-of-r")).toBe(order[1]);
    expect(Object.fromEntries(rig.load)).toMatchObject({ [order[0]!]: 0, [order[1]!]: 1 });
    call.end();
    expect(rig.totalLoad).toBe(0);
  });

  test("makes the build wait once all have been tried, counted nowhere, until another comes", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const id of ["a", "b", "c"]) client.cannotReach(id);
    rig.status(client, "r");
    rig.solve(client, solve("r"));
    await settled();
    expect(rig.reported.toSorted()).toEqual(["a", "b", "c"]);
    expect(rig.journal).toEqual([]);
    expect([rig.totalLoad, rig.running.get(KEY)]).toEqual([0, 0]);
    rig.addReplica("d");
    await settled();
    expect(rig.journal).toEqual(["status r → d", "solve r → d"]);
    expect([rig.totalLoad, rig.running.get(KEY)]).toEqual([1, 1]);
  });
});

describe("a build that could not be placed", () => {
  test("is answered the same for every call that comes later", async () => {
    const rig = new RoutingRig(["a"]);
    rig.refusal = QUEUE_FULL;
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    rig.status(client, "r");
    rig.session(client, "session-of-r");
    rig.bridge(client, "r", "return");
    expect(rig.journal).toEqual([
      "solve r ✗ queue_full",
      "status r ✗ queue_full",
      "session session-of-r ✗ queue_full",
      "return ✗ queue_full",
    ]);
    expect(rig.messages.get("return")).toBe(rig.messages.get("solve r"));
  });

  test("does not keep its client from trying again", async () => {
    const rig = new RoutingRig(["a"]);
    rig.refusal = QUEUE_FULL;
    const client = new ScriptedClient();
    rig.solve(client, solve("r1"));
    await settled();
    rig.refusal = undefined;
    rig.session(client, "session-of-r2");
    rig.solve(client, solve("r2"));
    await settled();
    expect(rig.journal.slice(1)).toEqual(["session session-of-r2 → a", "solve r2 → a"]);
  });

  test("fails as a defect when the placer breaks", async () => {
    const rig = new RoutingRig(["a"], { wrapPlacer: brokenPlacer });
    rig.solve(new ScriptedClient(), solve("r"));
    await settled();
    expect(rig.journal).toEqual(["solve r ✗ internal"]);
    expect(rig.messages.get("solve r")).toBe("placing the build failed");
  });
});

describe("a build whose replica was lost", () => {
  test("is answered with that for every call that comes later, a bake's other targets too", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    const first = rig.solve(client, solve("t1", { inputSessions: ["shared"] }));
    const second = rig.solve(client, solve("t2", { inputSessions: ["shared"] }));
    await settled();
    client.connected.clear();
    for (const call of [first, second]) {
      const error = new GatewayError("upstream_lost", "replica a went away");
      rig.groups.buildLost(call, error);
      call.fail(error);
    }
    rig.bridge(client, "t1", "return");
    rig.solve(client, solve("t3", { inputSessions: ["shared"] }));
    expect(rig.journal.slice(2)).toEqual([
      "solve t1 ✗ upstream_lost",
      "solve t2 ✗ upstream_lost",
      "return ✗ upstream_lost",
      "solve t3 ✗ upstream_lost",
    ]);
    expect(rig.totalLoad).toBe(0);
  });

  test("frees its connection for a build of its own elsewhere", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    const call = rig.solve(client, solve("r1"));
    await settled();
    const lost = rig.replicaOf("solve r1")!;
    client.cannotReach(lost);
    rig.replicas.splice(rig.replicas.indexOf(lost), 1);
    const error = new GatewayError("upstream_lost", "replica went away");
    rig.groups.buildLost(call, error);
    call.fail(error);
    rig.solve(client, solve("r2"));
    await settled();
    expect(rig.replicaOf("solve r2")).not.toBe(lost);
    // It was not even tried there again.
    expect(client.connects.filter((id) => id === lost)).toHaveLength(1);
  });
});

describe("a client that is gone", () => {
  test("leaves nothing behind while its build waits for a placement", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.session(client, "session-of-r");
    rig.session(client, "never named");
    rig.status(client, "r");
    rig.status(client, "never solved");
    rig.other(client);
    rig.groups.solveArriving(client);
    rig.solve(client, solve("r"));
    rig.gone(client);
    gate.open();
    rig.clock.advance(60_000);
    await settled();
    expect(client.connects).toEqual([]);
    expect(rig.reported).toEqual([]);
    expect(rig.totalLoad).toBe(0);
    expect(rig.groups.census).toEqual({ clients: 0, calls: 0, waiting: 0, tokens: 2 });
  });

  test("leaves nothing behind, and accuses no replica, while one is connected to", async () => {
    const rig = new RoutingRig(["a", "b"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    rig.other(client);
    rig.solve(client, solve("r"));
    await settled();
    rig.gone(client);
    for (const id of ["a", "b"]) client.cannotReach(id, "no longer discovered");
    connectNow();
    await settled();
    expect(rig.reported).toEqual([]);
    expect(rig.journal).toEqual([]);
    expect(rig.groups.census).toMatchObject({ clients: 0, calls: 0, waiting: 0 });
  });

  test("leaves a build of another connection in the same group to be placed through that one", async () => {
    const rig = new RoutingRig(["a"]);
    const [first, second] = [new ScriptedClient(), new ScriptedClient()];
    first.holdConnects(); // And never lets go: its connection is gone.
    rig.solve(first, solve("r"), "first");
    rig.solve(second, solve("r"), "second");
    await settled();
    expect(second.connects).toEqual([]);
    rig.gone(first);
    await settled();
    expect(second.connects).toEqual(["a"]);
    expect(rig.journal).toEqual(["second → a"]);
    expect(rig.load.get("a")).toBe(1);
  });

  test("takes no notice of another build of its own that goes on", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    const first = rig.solve(client, solve("r1"));
    rig.solve(client, solve("r2"));
    first.end();
    gate.open();
    await settled();
    expect(gate.requests).toBe(1);
    expect(rig.journal).toEqual(["solve r2 → a"]);
  });
});

test("a build counts as load from the choice of its replica to its end, once", async () => {
  const rig = new RoutingRig(["a"]);
  const client = new ScriptedClient();
  const call = rig.solve(client, solve("r"));
  // From the choice on, before the replica has been reached.
  expect(rig.load.get("a")).toBe(1);
  await settled();
  expect(rig.load.get("a")).toBe(1);
  call.end();
  call.end();
  rig.groups.closed(call);
  expect(rig.load.get("a")).toBe(0);
});

/** Builds that come, run and end, one after the other. */
async function runBuilds(rig: RoutingRig, prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const client = new ScriptedClient();
    rig.solve(client, solve(`${prefix}${i}`));
    await settled();
    rig.gone(client);
  }
}

test("ten thousand builds and more are remembered, the open and the last asked for longest", {
  timeout: 30_000,
}, async () => {
  const rig = new RoutingRig();
  rig.solve(new ScriptedClient(), solve("open"));
  await runBuilds(rig, "early", 11_000);
  rig.status(new ScriptedClient(), "early0", "asked again").end();
  await runBuilds(rig, "late", 11_000);
  expect(rig.groups.census.tokens).toBeLessThanOrEqual(40_002);
  for (const ref of ["open", "early0", "late0", "late10999"]) {
    rig.bridge(new ScriptedClient(), ref);
    expect(rig.replicaOf(`bridge ${ref}`)).toBe(rig.replicaOf(`solve ${ref}`));
  }
  rig.bridge(new ScriptedClient(), "early1");
  expect(rig.groups.census.waiting).toBe(1);
});

test("names of megabytes take no memory", async () => {
  const rig = new RoutingRig(["a"]);
  const long = "x".repeat(1 << 20);
  const client = new ScriptedClient();
  rig.status(client, long, "status");
  rig.session(client, `${long}2`, "session", long);
  rig.solve(client, solve(long, { buildSession: `${long}2`, inputSessions: [`${long}3`] }), "solve");
  await settled();
  rig.session(client, `${long}3`, "shared");
  expect(rig.journal).toEqual(["status → a", "session → a", "solve → a", "shared → a"]);
});

test("a thousand builds with hundreds of sessions each cost little time", async () => {
  const { rig, gate } = gatedRig(["a"]);
  const client = new ScriptedClient();
  const inputSessions = Array.from({ length: 500 }, (_, i) => `shared-${i}`);
  const startMs = performance.now();
  for (let i = 0; i < 5_000; i++) rig.session(client, `waits-${i}`);
  for (let i = 0; i < 1_000; i++) rig.solve(client, solve(`${i}`, { inputSessions }));
  gate.open();
  await settled();
  rig.gone(client);
  expect(performance.now() - startMs).toBeLessThan(3_000);
  expect(rig.groups.census.calls).toBe(0);
});
