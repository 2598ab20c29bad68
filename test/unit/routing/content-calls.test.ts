import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

describe("a call for content", () => {
  test("goes where the content is known to be, there first where its client is connected", async () => {
    const rig = new RoutingRig(["a", "b", "c"]);
    const client = new ScriptedClient();
    rig.contentOwners.set("d", ["b", "c"]);
    expect(rig.content(client, "d").replicaId).toBe("b");
    client.connected.add("c");
    expect(rig.content(client, "d").replicaId).toBe("c");
    expect(rig.located).toEqual([]);
  });

  test("of a client that has built goes to its replica, and nobody is asked", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    rig.solve(client, solve("r"));
    await settled();
    expect(rig.content(client, "d").replicaId).toBe("a");
    rig.contentOwners.set("elsewhere", ["b"]);
    expect(rig.content(client, "elsewhere").replicaId).toBe("b");
    rig.contentOwners.set("both", ["b", "a"]);
    expect(rig.content(client, "both").replicaId).toBe("a");
    expect(rig.located).toEqual([]);
  });

  test("that nobody is known to have is asked of all", async () => {
    const rig = new RoutingRig(["a", "b"]);
    rig.contentFound.set("d", "b");
    const call = rig.content(new ScriptedClient(), "d");
    expect(call.replicaId).toBe("");
    expect(rig.groups.census.waiting).toBe(1);
    await settled();
    expect(call.replicaId).toBe("b");
    expect(rig.located).toEqual(["d"]);
    expect(rig.groups.census.waiting).toBe(0);
  });

  test("that nobody has goes to any replica, which says so; where that is not known, it is told why", async () => {
    const rig = new RoutingRig(["a"]);
    const nowhere = rig.content(new ScriptedClient(), "d");
    const unnamed = rig.content(new ScriptedClient(), "");
    rig.contentFound.set("x", new GatewayError("replica_missing", "without b"));
    const unknown = rig.content(new ScriptedClient(), "x");
    await settled();
    expect([nowhere.replicaId, unnamed.replicaId]).toEqual(["a", "a"]);
    expect(rig.messages.get(unknown.name)).toBe("without b");
    expect(rig.located).toEqual(["d", "x"]);
  });

  test("that has ended before its replica is found goes nowhere, and nothing is left of it", async () => {
    const rig = new RoutingRig(["a"]);
    rig.contentFound.set("d", "a");
    const call = rig.content(new ScriptedClient(), "d");
    call.end();
    await settled();
    expect(call.replicaId).toBe("");
    expect(rig.groups.census).toMatchObject({ calls: 0, waiting: 0 });
  });
});
