import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { QUEUE_FULL, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

/** Move time on in small steps, so that what each step starts can go on in between. */
async function pass(rig: RoutingRig, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    rig.clock.advance(Math.min(left, 100));
    await settled();
  }
}

describe("a Status that no Solve claims", () => {
  test("goes to the replica that has the build", async () => {
    const rig = new RoutingRig();
    rig.owners.set("old", "c");
    rig.status(new ScriptedClient(), "old");
    await settled();
    expect(rig.journal).toEqual(["status old → c"]);
    expect(rig.located).toEqual(["old"]);
  });

  test("is told after 6 s that none has it, or why that cannot be told: a replica would wait as long again", async () => {
    const rig = new RoutingRig();
    rig.owners.set("unknown", new GatewayError("not_found", "no such job unknown"));
    rig.owners.set("missing", new GatewayError("replica_missing", "without replica a"));
    for (const buildRef of ["unknown", "missing"]) rig.status(new ScriptedClient(), buildRef);
    await pass(rig, 5_900);
    expect(rig.journal).toEqual([]);
    await pass(rig, 100);
    expect(rig.journal).toEqual(["status unknown ✗ not_found", "status missing ✗ replica_missing"]);
  });

  test("goes to any replica after 6 s where nobody can be asked for it", async () => {
    const rig = new RoutingRig();
    rig.status(new ScriptedClient(), "unknown");
    await pass(rig, 5_900);
    expect(rig.journal).toEqual([]);
    await pass(rig, 100);
    expect(rig.journal).toEqual(["status unknown → a"]);
  });

  test("is told when there is no replica", async () => {
    const rig = new RoutingRig([]);
    rig.status(new ScriptedClient(), "unknown");
    await pass(rig, 6_000);
    expect(rig.journal).toEqual(["status unknown ✗ no_replica"]);
  });

  test("waits on while a Solve of its connection is arriving", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.groups.solveArriving(client);
    rig.status(client, "r");
    rig.bridge(client, "r");
    await pass(rig, 60_000);
    expect(rig.journal).toEqual([]);
    expect(rig.located).toEqual([]);
    rig.groups.solveArrived(client);
    rig.solve(client, solve("r"));
    await settled();
    expect(rig.journal).toHaveLength(3);
  });

  test("waits on while a build of its connection is being placed", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    rig.solve(client, solve("r1"));
    rig.status(client, "r2");
    await pass(rig, 60_000);
    connectNow();
    await settled();
    rig.solve(client, solve("r2"));
    expect(rig.replicaOf("status r2")).toBe(rig.replicaOf("solve r1"));
    expect(rig.located).toEqual([]);
  });

  test("goes on when the Solve that was arriving never came", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.groups.solveArriving(client);
    rig.status(client, "r");
    await pass(rig, 10_000);
    rig.groups.solveArrived(client);
    rig.owners.set("r", "c");
    await pass(rig, 200);
    expect(rig.journal).toEqual(["status r → c"]);
  });

  test("is of another build when its connection has one already", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    const elsewhere = ["a", "b", "c"].find((id) => id !== rig.replicaOf("solve r"))!;
    rig.owners.set("old", elsewhere);
    rig.status(client, "old");
    await pass(rig, 200);
    expect(rig.replicaOf("status old")).toBe(elsewhere);
  });

  test("finds a build that ran here without asking anybody", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    rig.gone(client);
    rig.status(new ScriptedClient(), "r");
    expect(rig.replicaOf("status r")).toBe(rig.replicaOf("solve r"));
    expect(rig.located).toEqual([]);
  });

  test("asks the replicas about a build that failed here, unless it is that build's own", async () => {
    const rig = new RoutingRig();
    rig.refusal = QUEUE_FULL;
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    rig.status(client, "r", "own status");
    rig.owners.set("r", "b");
    rig.status(new ScriptedClient(), "r", "another's status");
    await pass(rig, 200);
    expect(rig.journal).toEqual(["solve r ✗ queue_full", "own status ✗ queue_full", "another's status → b"]);
  });
});

test("replicas are not asked about a build whose Solve has been announced, nor by a frontend's call just before it", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.bridge(client, "r");
  await pass(rig, 50);
  rig.groups.solveArriving(client);
  rig.status(client, "r");
  await pass(rig, 50);
  rig.groups.solveArrived(client);
  rig.solve(client, solve("r"));
  await pass(rig, 10_000);
  expect(rig.located).toEqual([]);
  expect(rig.journal).toHaveLength(3);
});

test("what a replica says about a build comes too late once its Solve is there", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.owners.set("r", "none of ours");
  rig.status(client, "r");
  rig.solve(client, solve("r"));
  await settled();
  expect(rig.located).toEqual(["r"]);
  expect(rig.replicaOf("status r")).toBe(rig.replicaOf("solve r"));
  expect(rig.journal).toHaveLength(2);
});

describe("a frontend call that no Solve claims", () => {
  test("goes to the replica that runs the build, as after a GOAWAY through another gateway", async () => {
    const rig = new RoutingRig();
    rig.owners.set("r", "b");
    rig.bridge(new ScriptedClient(), "r");
    await pass(rig, 200);
    expect(rig.journal).toEqual(["bridge r → b"]);
  });

  test("goes to any replica after 3 s", async () => {
    const rig = new RoutingRig();
    rig.bridge(new ScriptedClient(), "unknown");
    await pass(rig, 2_900);
    expect(rig.journal).toEqual([]);
    await pass(rig, 100);
    expect(rig.journal).toEqual(["bridge unknown → a"]);
  });
});

test("a Session without a Solve stays for as long as its client likes", async () => {
  const rig = new RoutingRig();
  const call = rig.session(new ScriptedClient(), "s");
  rig.clock.advance(24 * 3_600_000);
  await settled();
  expect(rig.journal).toEqual([]);
  call.end();
  expect(rig.groups.census.waiting).toBe(0);
});

test("a call that ends while it waits is forgotten, and its timers with it", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  const calls = [rig.status(client, "r"), rig.bridge(client, "r"), rig.session(client, "s")];
  for (const call of calls) call.end();
  expect(rig.groups.census).toMatchObject({ calls: 0, waiting: 0, tokens: 0 });
  expect(rig.clock.delaysMs).toEqual([]);
  rig.solve(client, solve("r", { buildSession: "s" }));
  await settled();
  expect(rig.journal).toHaveLength(1);
});

describe("a call of no build", () => {
  test("goes to the replica of its connection's build", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    rig.other(client);
    expect(rig.replicaOf("other")).toBe(rig.replicaOf("solve r"));
  });

  test("goes to a replica that its connection has talked to", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.load.set("a", 1);
    rig.load.set("b", 1);
    rig.other(client, "first");
    await settled();
    rig.load.set("c", 2);
    rig.other(client, "second");
    await settled();
    expect(rig.journal).toEqual(["first → c", "second → c"]);
    expect(client.connects).toEqual(["c"]);
  });

  test("goes to any replica that can be reached otherwise, and counts as no build", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    client.cannotReach("a");
    rig.other(client);
    await settled();
    expect(rig.journal).toEqual(["other → b"]);
    expect(rig.reported).toEqual(["a"]);
    expect(rig.totalLoad).toBe(0);
  });

  test("is refused where there is none", async () => {
    const rig = new RoutingRig([]);
    rig.other(new ScriptedClient());
    await settled();
    expect(rig.journal).toEqual(["other ✗ no_replica"]);
    expect(rig.messages.get("other")).toBe("no replica takes builds: no replica is known");
  });
});
