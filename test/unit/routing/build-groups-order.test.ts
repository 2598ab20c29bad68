import { describe, expect, test } from "vitest";
import { QUEUE_FULL, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

const KINDS = ["session", "status", "solve", "bridge"] as const;

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

function open(rig: RoutingRig, client: ScriptedClient, kind: (typeof KINDS)[number]): void {
  if (kind === "session") rig.session(client, "session-of-r", "session");
  else if (kind === "status") rig.status(client, "r", "status");
  else if (kind === "bridge") rig.bridge(client, "r", "bridge");
  else rig.solve(client, solve("r"), "solve");
}

describe.each(permutations(KINDS))("a build that comes as %s, %s, %s, %s", (...order) => {
  test("is released to one replica in that order when all comes at once", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const kind of order) open(rig, client, kind);
    await settled();
    const replica = rig.replicaOf("solve");
    expect(replica).toBeDefined();
    expect(rig.journal).toEqual(order.map((kind) => `${kind} → ${replica}`));
  });

  test("is released to one replica in that order when it comes bit by bit", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const kind of order) {
      open(rig, client, kind);
      await settled();
    }
    const replica = rig.replicaOf("solve");
    expect(rig.journal).toEqual(order.map((kind) => `${kind} → ${replica}`));
  });

  test("is answered Solve first when it cannot be placed", async () => {
    const rig = new RoutingRig();
    rig.refusal = QUEUE_FULL;
    const client = new ScriptedClient();
    for (const kind of order) open(rig, client, kind);
    await settled();
    expect(rig.journal).toEqual(["solve", "bridge", "status", "session"].map((kind) => `${kind} ✗ queue_full`));
  });

  test("leaves nothing behind but names when it has ended", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const kind of order) open(rig, client, kind);
    await settled();
    expect(rig.totalLoad).toBe(1);
    rig.gone(client);
    expect(rig.totalLoad).toBe(0);
    expect(rig.groups.census).toEqual({ clients: 0, calls: 0, waiting: 0, tokens: 2 });
  });
});

test("builds of several clients go their own ways", async () => {
  const rig = new RoutingRig();
  for (let i = 0; i < 20; i++) {
    const attrs = new Map([["vcs:source", `https://github.com/acme/app-${i}.git`]]);
    const client = new ScriptedClient();
    rig.session(client, `session-of-${i}`);
    rig.status(client, `${i}`);
    rig.solve(client, solve(`${i}`, { attrs }));
    await settled();
    expect(rig.replicaOf(`session session-of-${i}`)).toBe(rig.replicaOf(`solve ${i}`));
    expect(rig.replicaOf(`status ${i}`)).toBe(rig.replicaOf(`solve ${i}`));
  }
  expect(new Set(Array.from({ length: 20 }, (_, i) => rig.replicaOf(`solve ${i}`))).size).toBe(3);
});

test("every build of a repository lands where the first did", async () => {
  const rig = new RoutingRig();
  for (let i = 0; i < 6; i++) {
    const client = new ScriptedClient();
    rig.solve(client, solve(`${i}`));
    await settled();
    rig.gone(client);
  }
  expect(new Set(rig.journal.map((line) => line.at(-1))).size).toBe(1);
});

test("a replica is connected to before anything is released", async () => {
  const rig = new RoutingRig(["a"]);
  const client = new ScriptedClient();
  const connectNow = client.holdConnects();
  rig.session(client, "session-of-r");
  rig.solve(client, solve("r"));
  await settled();
  rig.bridge(client, "r");
  expect(rig.journal).toEqual([]);
  connectNow();
  await settled();
  expect(rig.journal).toEqual(["session session-of-r → a", "solve r → a", "bridge r → a"]);
});

test("a ref and a session of the same name are two things", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.session(client, "x");
  rig.solve(client, solve("x", { buildSession: "" }));
  await settled();
  // The Session is not the Solve's own, but its client's: it follows without having been named.
  expect(rig.journal).toHaveLength(2);
  const other = new ScriptedClient();
  rig.session(other, "x2");
  rig.solve(new ScriptedClient(), solve("x2", { buildSession: "" }));
  await settled();
  expect(rig.replicaOf("session x2")).toBeUndefined();
});

test("calls that name nothing are nobody's", async () => {
  const rig = new RoutingRig();
  for (const client of [new ScriptedClient(), new ScriptedClient()]) {
    rig.session(client, "", "session");
    rig.bridge(client, "", "bridge");
    rig.status(client, "", "status");
  }
  await settled();
  expect(rig.journal).toHaveLength(6);
  expect(rig.groups.census.tokens).toBe(0);
  expect(rig.located).toEqual([]);
});
