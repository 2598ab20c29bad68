import { describe, expect, test } from "vitest";
import type { SolveRequest } from "../../../src/buildkit/solve-request.ts";
import { rankIds } from "../../../src/routing/rendezvous.ts";
import { RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

/** A target of a bake: each has another repository, so that nothing but the bake keeps them together. */
function target(name: string, parts: Partial<SolveRequest> = {}): SolveRequest {
  return solve(name, { attrs: new Map([["vcs:source", `https://github.com/acme/${name}.git`]]), ...parts });
}

const NAMES = ["t1", "t2", "t3", "t4", "t5", "t6"];

function replicasOf(rig: RoutingRig): Set<string> {
  return new Set(rig.journal.map((line) => line.split(" → ")[1]!));
}

describe("the targets of a bake stay together", () => {
  test("while the first is still being placed", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    for (const name of NAMES) {
      rig.solve(client, target(name));
      await settled();
    }
    connectNow();
    await settled();
    expect(rig.journal).toHaveLength(NAMES.length);
    expect(replicasOf(rig).size).toBe(1);
    expect(client.connects).toHaveLength(1);
  });

  test("when one comes after the other, as linked targets do", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const name of NAMES) {
      rig.session(client, `session-of-${name}`);
      rig.status(client, name);
      rig.solve(client, target(name));
      rig.bridge(client, name);
      await settled();
    }
    expect(rig.journal).toHaveLength(4 * NAMES.length);
    expect(replicasOf(rig).size).toBe(1);
  });

  test("and every one of them counts as load, whenever it came", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    const calls = NAMES.slice(0, 3).map((name) => rig.solve(client, target(name)));
    await settled();
    calls.push(rig.solve(client, target("t4")));
    expect(rig.load.get("a")).toBe(4);
    connectNow();
    await settled();
    calls.push(rig.solve(client, target("t5")));
    expect(rig.load.get("a")).toBe(5);
    for (const call of calls) call.end();
    expect(rig.load.get("a")).toBe(0);
  });

  test.each(["before", "while", "after"])(
    "with a shared session that comes %s its first Solve is placed",
    async (when) => {
      const rig = new RoutingRig();
      const client = new ScriptedClient();
      const connectNow = client.holdConnects();
      if (when === "before") rig.session(client, "shared");
      rig.solve(client, target("t1", { inputSessions: ["shared"] }));
      rig.solve(client, target("t2", { inputSessions: ["shared"] }));
      await settled();
      if (when === "while") rig.session(client, "shared");
      connectNow();
      await settled();
      if (when === "after") rig.session(client, "shared");
      expect(rig.replicaOf("session shared")).toBe(rig.replicaOf("solve t1"));
      expect(rig.journal).toHaveLength(3);
      expect(replicasOf(rig).size).toBe(1);
    },
  );

  test.each(["before", "while", "after"])(
    "with a shared session that no Solve names (buildx 0.13) and that comes %s",
    async (when) => {
      const rig = new RoutingRig();
      const client = new ScriptedClient();
      const connectNow = client.holdConnects();
      if (when === "before") rig.session(client, "shared");
      rig.solve(client, target("t1"));
      rig.solve(client, target("t2"));
      await settled();
      if (when === "while") rig.session(client, "shared");
      connectNow();
      await settled();
      if (when === "after") rig.session(client, "shared");
      expect(rig.replicaOf("session shared")).toBe(rig.replicaOf("solve t1"));
      expect(replicasOf(rig).size).toBe(1);
      // Released in the order they came, though nothing but the connection ties them.
      if (when === "before") expect(rig.journal[0]).toMatch(/^session shared/);
    },
  );

  test("when they are internal, as in `bake --call check`, by the session they share", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    for (const name of NAMES) rig.solve(client, target(name, { isInternal: true, inputSessions: ["shared"] }));
    await settled();
    expect(replicasOf(rig).size).toBe(1);
    expect(rig.totalLoad).toBe(0);
  });

  test("when the first was tied to an internal build by a session", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    rig.solve(client, target("probe", { isInternal: true, inputSessions: ["shared"] }));
    await settled();
    for (const name of NAMES) rig.solve(client, target(name, name === "t1" ? { inputSessions: ["shared"] } : {}));
    await settled();
    expect(rig.journal).toHaveLength(NAMES.length + 1);
    expect(replicasOf(rig).size).toBe(1);
  });
});

test("a capability probe binds nothing", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.load.set("b", 1);
  rig.load.set("c", 1);
  rig.session(client, "session-of-probe");
  rig.solve(client, solve("probe", { isInternal: true, attrs: new Map() }));
  await settled();
  expect(rig.replicaOf("solve probe")).toBe("a");
  expect(rig.load.get("a") ?? 0).toBe(0);
  // The key's own replica: a probe elsewhere does not change it.
  const name = NAMES.find((it) => rankIds(`github.com/acme/${it}`, ["a", "b", "c"])[0] !== "a")!;
  rig.solve(client, target(name));
  await settled();
  expect(rig.replicaOf(`solve ${name}`)).toBe(rankIds(`github.com/acme/${name}`, ["a", "b", "c"])[0]);
});

test("a probe beside a build that is being placed goes its own way", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  const connectNow = client.holdConnects();
  rig.solve(client, solve("r"));
  rig.solve(client, solve("probe", { isInternal: true, attrs: new Map() }));
  await settled();
  expect(client.connects).toHaveLength(2);
  connectNow();
  await settled();
  expect(rig.journal).toHaveLength(2);
});

test("later builds of a connection follow its first one, whatever their key", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  for (const name of NAMES) {
    const call = rig.solve(client, target(name));
    await settled();
    call.end();
  }
  expect(replicasOf(rig).size).toBe(1);
});

test("a Session of a bound connection goes to its replica at once", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.solve(client, solve("r"));
  await settled();
  rig.session(client, "later");
  expect(rig.replicaOf("session later")).toBe(rig.replicaOf("solve r"));
});

test("a Status and a frontend call of a bound connection wait for their Solve all the same", async () => {
  // A Solve may take longer to arrive than buildkitd waits for it: 3 s for a frontend call, 6 s for a Status.
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.solve(client, solve("r1"));
  await settled();
  rig.status(client, "r2");
  rig.bridge(client, "r2");
  expect(rig.journal).toHaveLength(1);
  rig.solve(client, target("r2"));
  expect(rig.journal).toHaveLength(4);
  expect(replicasOf(rig).size).toBe(1);
});

test("a connection that lost its replica is free for another", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  const first = rig.solve(client, solve("r1"));
  await settled();
  const lost = rig.replicaOf("solve r1")!;
  client.cannotReach(lost);
  rig.replicas.splice(rig.replicas.indexOf(lost), 1);
  first.end();
  rig.solve(client, solve("r2"));
  await settled();
  expect(rig.replicaOf("solve r2")).toBeDefined();
  expect(rig.replicaOf("solve r2")).not.toBe(lost);
  rig.session(client, "session-of-r3");
  rig.solve(client, target("r3"));
  await settled();
  expect(rig.replicaOf("session session-of-r3")).toBe(rig.replicaOf("solve r2"));
  expect(rig.replicaOf("solve r3")).toBe(rig.replicaOf("solve r2"));
});

test("a connection whose replica closed it goes back there while it can", async () => {
  const rig = new RoutingRig();
  const client = new ScriptedClient();
  rig.solve(client, solve("r1"));
  await settled();
  const replica = rig.replicaOf("solve r1")!;
  client.connected.delete(replica); // GOAWAY
  rig.solve(client, target("r2"));
  await settled();
  expect(rig.replicaOf("solve r2")).toBe(replica);
});

test("a build is found from another connection, by its ref and by its session", async () => {
  const rig = new RoutingRig();
  const first = new ScriptedClient();
  rig.solve(first, solve("r"));
  await settled();
  rig.gone(first); // GOAWAY: the client dials anew for the build's last calls.
  const second = new ScriptedClient();
  rig.bridge(second, "r");
  rig.session(second, "session-of-r");
  rig.status(second, "r");
  const replica = rig.replicaOf("solve r");
  expect(rig.journal.slice(1)).toEqual(
    ["bridge r", "session session-of-r", "status r"].map((name) => `${name} → ${replica}`),
  );
  second.connected.add(replica!);
  rig.other(second, "provenance");
  expect(rig.replicaOf("provenance")).toBe(replica);
});

test("a build may be spread over two connections of one client", async () => {
  const rig = new RoutingRig();
  const [first, second] = [new ScriptedClient(), new ScriptedClient()];
  rig.session(first, "session-of-r");
  rig.status(first, "r");
  rig.solve(second, solve("r"));
  rig.bridge(first, "r");
  await settled();
  expect(rig.journal).toHaveLength(4);
  expect(replicasOf(rig).size).toBe(1);
});

test("a Solve that joins a placed group binds its own connection too", async () => {
  const rig = new RoutingRig();
  rig.solve(new ScriptedClient(), solve("r1", { inputSessions: ["shared"] }));
  await settled();
  const second = new ScriptedClient();
  rig.session(second, "unnamed");
  rig.solve(second, target("r2", { inputSessions: ["shared"] }));
  expect(rig.replicaOf("session unnamed")).toBe(rig.replicaOf("solve r1"));
  second.connected.add(rig.replicaOf("solve r1")!);
  rig.solve(second, target("r3"));
  expect(rig.journal).toHaveLength(4);
  expect(replicasOf(rig).size).toBe(1);
});

test("the same ref twice goes to the same replica, which refuses it as one daemon would", async () => {
  const rig = new RoutingRig();
  rig.solve(new ScriptedClient(), target("r"), "first");
  rig.solve(new ScriptedClient(), target("r"), "second");
  await settled();
  rig.solve(new ScriptedClient(), target("r"), "third");
  expect(rig.journal).toHaveLength(3);
  expect(replicasOf(rig).size).toBe(1);
});

describe("a build whose key may be its session's shared key", () => {
  const keyless = { attrs: new Map<string, string>() };

  async function replicaFor(order: readonly ("solve" | "session")[], sharedKey: string): Promise<string | undefined> {
    const rig = new RoutingRig(["a", "b", "c", "d", "e"]);
    const client = new ScriptedClient();
    for (const kind of order) {
      if (kind === "session") rig.session(client, "session-of-r", "session", sharedKey);
      else rig.solve(client, solve("r", keyless));
      await settled();
    }
    return rig.replicaOf("solve r");
  }

  test("lands on one replica whether Solve or Session comes first", async () => {
    for (let i = 0; i < 10; i++) {
      const solveFirst = await replicaFor(["solve", "session"], `app:node${i}`);
      expect(solveFirst).toBeDefined();
      expect(solveFirst).toBe(await replicaFor(["session", "solve"], `app:node${i}`));
    }
  });

  test("does not wait long for a Session that does not come", async () => {
    const rig = new RoutingRig();
    rig.solve(new ScriptedClient(), solve("r", keyless));
    await settled();
    expect(rig.journal).toEqual([]);
    rig.clock.advance(500);
    await settled();
    expect(rig.journal).toHaveLength(1);
  });

  test("does not wait when it has another key, no session, or is a probe", async () => {
    const rig = new RoutingRig();
    rig.solve(new ScriptedClient(), solve("repository"));
    rig.solve(new ScriptedClient(), solve("image", { ...keyless, imageNames: ["acme/app:1"] }));
    rig.solve(new ScriptedClient(), solve("no session", { ...keyless, buildSession: "" }));
    rig.solve(new ScriptedClient(), solve("probe", { ...keyless, isInternal: true }));
    await settled();
    expect(rig.journal).toHaveLength(4);
  });

  test("goes on waiting when another of its calls ends", async () => {
    for (let i = 0; i < 10; i++) {
      const rig = new RoutingRig(["a", "b", "c", "d", "e"]);
      const client = new ScriptedClient();
      rig.solve(client, solve("r", keyless));
      rig.status(client, "r").end();
      await settled();
      expect(rig.journal).toEqual([]);
      rig.session(client, "session-of-r", "session", `app:node${i}`);
      await settled();
      expect(rig.replicaOf("solve r")).toBe(await replicaFor(["session", "solve"], `app:node${i}`));
    }
  });

  test("may be cancelled meanwhile", async () => {
    const rig = new RoutingRig();
    const client = new ScriptedClient();
    const call = rig.solve(client, solve("r", keyless));
    rig.status(client, "r");
    call.end();
    rig.clock.advance(500);
    await settled();
    expect(rig.journal).toEqual(["status r ✗ cancelled"]);
    expect(client.connects).toEqual([]);
  });
});
