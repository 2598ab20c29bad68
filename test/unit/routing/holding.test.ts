import { describe, expect, test } from "vitest";
import type { Waiting } from "../../../src/routing/placer.ts";
import { gatedRig, probe, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

const NO_REPLICA: Waiting = { position: 1, length: 1, cause: "no replica takes builds" };

describe("a Ping", () => {
  test("is answered as soon as its build has to wait, and from then on at once", () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.ping(client, "r", "first");
    rig.solve(client, solve("r"));
    expect(rig.journal).toEqual([]);
    gate.tell(NO_REPLICA);
    rig.ping(client, "r", "second");
    expect(rig.journal).toEqual(["first = pong", "second = pong"]);
  });

  test("goes to the replica where its build has one", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    rig.ping(client, "r");
    await settled();
    expect(rig.journal).toEqual(["solve r → a", "ping → a"]);
  });

  test("waits as well while no replica has ever said what it can do", () => {
    const { rig, gate } = gatedRig(["a"]);
    rig.pong = undefined;
    const client = new ScriptedClient();
    rig.ping(client, "r");
    rig.solve(client, solve("r"));
    gate.tell(NO_REPLICA);
    expect(rig.journal).toEqual([]);
    rig.pong = Buffer.from("pong");
    gate.tell(NO_REPLICA);
    expect(rig.journal).toEqual(["ping = pong"]);
  });

  test("that was cancelled is not answered", () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    rig.ping(client, "r").end();
    gate.tell(NO_REPLICA);
    expect(rig.journal).toEqual([]);
  });

  test("is not answered from memory while a chosen replica is being reached", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    rig.solve(client, solve("r"));
    gate.tell(NO_REPLICA);
    gate.open();
    await settled();
    rig.ping(client, "r");
    expect(rig.journal).toEqual([]);
    connectNow();
    await settled();
    expect(rig.journal).toEqual(["solve r → a", "ping → a"]);
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

type Kind = "session" | "status" | "solve" | "ping" | "return";

function open(rig: RoutingRig, client: ScriptedClient, kind: Kind): void {
  if (kind === "session") rig.session(client, "session-of-p", "session");
  else if (kind === "status") rig.status(client, "p", "status");
  else if (kind === "ping") rig.ping(client, "p");
  else if (kind === "return") rig.returned(client, "p");
  else rig.solve(client, probe("p"), "solve");
}

describe.each(permutations(["session", "status", "solve", "ping"] as const))(
  "a capability probe without a replica that comes as %s, %s, %s, %s",
  (...order) => {
    test("is answered whole as soon as its client ends it", async () => {
      const rig = new RoutingRig([], { progress: "always" });
      const client = new ScriptedClient();
      for (const kind of order) open(rig, client, kind);
      await settled();
      expect(rig.journal).toEqual(["ping = pong"]);
      open(rig, client, "return");
      expect(rig.journal).toEqual(["ping = pong", "return = empty", "solve = empty", "status = ok", "session = ok"]);
      await settled();
      rig.gone(client);
      expect(rig.groups.census).toMatchObject({ clients: 0, calls: 0, waiting: 0 });
    });

    test("is answered whole when it has been ended before it is known that it waits", async () => {
      const rig = new RoutingRig([]);
      const client = new ScriptedClient();
      for (const kind of [...order, "return"] as const) open(rig, client, kind);
      await settled();
      expect(rig.journal.toSorted()).toEqual(
        ["ping = pong", "return = empty", "solve = empty", "status = ok", "session = ok"].toSorted(),
      );
    });
  },
);

describe("a capability probe", () => {
  test("that has been answered has the same said of whatever comes late", async () => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    rig.solve(client, probe("p"));
    await settled();
    rig.returned(client, "p");
    rig.journal.length = 0;
    for (const kind of ["session", "status", "ping", "return"] as const) open(rig, client, kind);
    rig.bridge(client, "p", "other");
    expect(rig.journal).toEqual([
      "session = ok",
      "status = ok",
      "ping = pong",
      "return = empty",
      "other ✗ invalid_request",
    ]);
  });

  test("is placed when a replica comes between its Ping and its Return", async () => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    for (const kind of ["session", "status", "solve", "ping"] as const) open(rig, client, kind);
    await settled();
    rig.addReplica("a");
    await settled();
    open(rig, client, "return");
    expect(rig.journal).toEqual(["ping = pong", "session → a", "status → a", "solve → a", "return → a"]);
  });

  test("is left to its replica where there is one, and while that is being reached", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    const connectNow = client.holdConnects();
    for (const kind of ["solve", "ping", "return"] as const) open(rig, client, kind);
    await settled();
    expect(rig.journal).toEqual([]);
    connectNow();
    await settled();
    expect(rig.journal).toEqual(["solve → a", "ping → a", "return → a"]);
  });

  test("that is cancelled while it waits is over", async () => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    rig.status(client, "p", "status");
    const call = rig.solve(client, probe("p"), "solve");
    await settled();
    call.end();
    expect(rig.journal).toEqual(["status ✗ cancelled"]);
    rig.addReplica("a");
    await settled();
    expect(client.connects).toEqual([]);
  });

  test("leaves its names to a real build that takes them up", async () => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    rig.solve(client, probe("p"), "probe");
    await settled();
    rig.returned(client, "p");
    rig.addReplica("a");
    rig.solve(client, solve("p"), "build");
    await settled();
    rig.status(client, "p", "status");
    rig.session(client, "session-of-p", "session");
    expect(rig.journal.slice(2)).toEqual(["build → a", "status → a", "session → a"]);
  });
});

describe("what looks like a probe and is none stays held until there is a replica", () => {
  const OTHERS = {
    "a build": () => solve("p", { attrs: new Map(), buildSession: "" }),
    "an internal build with a frontend": () => solve("p", { isInternal: true, isFrontendless: false }),
  };
  test.each(Object.entries(OTHERS))("%s", async (_, make) => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    rig.solve(client, make(), "solve");
    await settled();
    rig.ping(client, "p");
    rig.returned(client, "p");
    expect(rig.journal).toEqual(["ping = pong"]);
    rig.addReplica("a");
    await settled();
    expect(rig.journal).toEqual(["ping = pong", "solve → a", "return → a"]);
  });

  test.each(["before", "after"])(
    "an internal Solve on which a frontend calls something, %s it is named",
    async (when) => {
      const rig = new RoutingRig([]);
      const client = new ScriptedClient();
      if (when === "before") rig.bridge(client, "p", "statfile");
      rig.solve(client, probe("p"), "solve");
      if (when === "after") rig.bridge(client, "p", "statfile");
      await settled();
      rig.returned(client, "p");
      expect(rig.journal).toEqual([]);
      rig.addReplica("a");
      await settled();
      expect(rig.journal.toSorted()).toEqual(["return → a", "solve → a", "statfile → a"]);
    },
  );

  test("a probe that shares a session with a build", async () => {
    const rig = new RoutingRig([]);
    const client = new ScriptedClient();
    rig.solve(client, { ...probe("p"), inputSessions: ["shared"] }, "probe");
    rig.solve(client, solve("r", { inputSessions: ["shared"] }), "build");
    await settled();
    rig.returned(client, "p");
    expect(rig.journal).toEqual([]);
  });
});
