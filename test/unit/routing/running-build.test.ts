import { describe, expect, test } from "vitest";
import { gatedRig, probe, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

const KEYLESS = { attrs: new Map<string, string>(), buildSession: "" };
const KEY = "github.com/acme/app";

describe("a replica is warm", () => {
  test("for the key of a build that has succeeded there", async () => {
    const rig = new RoutingRig(["a"]);
    const call = rig.solve(new ScriptedClient(), solve("r"));
    await settled();
    expect(rig.warmth).toEqual([]);
    call.succeed();
    expect(rig.warmth).toEqual([`${KEY} @ a`]);
  });

  test("for nothing that failed, has no key, or is internal", async () => {
    const rig = new RoutingRig(["a"]);
    rig.solve(new ScriptedClient(), solve("failed")).end();
    for (const request of [solve("keyless", KEYLESS), solve("internal", { isInternal: true }), probe("probe")]) {
      const call = rig.solve(new ScriptedClient(), request);
      await settled();
      call.succeed();
    }
    expect(rig.warmth).toEqual([]);
  });

  test("before its room is given to the next build", async () => {
    const rig = new RoutingRig(["a"]);
    const call = rig.solve(new ScriptedClient(), solve("r"));
    await settled();
    const load: (number | undefined)[] = [];
    rig.warmth.push = () => load.push(rig.load.get("a"), rig.running.get(KEY));
    call.succeed();
    expect(load).toEqual([1, 1]);
    expect([rig.load.get("a"), rig.running.get(KEY)]).toEqual([0, 0]);
  });
});

describe("a build counts for its turn in the queue", () => {
  test("by its key, from the choice of its replica to its end", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const call = rig.solve(new ScriptedClient(), solve("r"));
    expect(rig.running.get(KEY)).toBeUndefined();
    gate.open();
    await settled();
    expect(rig.running.get(KEY)).toBe(1);
    call.end();
    expect(rig.running.get(KEY)).toBe(0);
  });

  test("by its client's address where it has no key", async () => {
    const rig = new RoutingRig(["a"]);
    for (const host of ["10.0.0.1", "10.0.0.1", "fd00::2"]) {
      rig.solve(new ScriptedClient(host), solve(`${host} ${Math.random()}`, KEYLESS));
    }
    await settled();
    expect([...rig.running]).toEqual([
      ["client:10.0.0.1", 2],
      ["client:fd00::2", 1],
    ]);
  });

  test("however it came to its replica: with its client's first, or after it", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const client = new ScriptedClient();
    rig.solve(client, solve("r1"));
    rig.solve(client, solve("r2"));
    gate.open();
    await settled();
    rig.solve(client, solve("r3"));
    rig.solve(client, probe("probe"));
    await settled();
    expect([...rig.running]).toEqual([[KEY, 3]]);
    expect(gate.requests).toBe(1);
    rig.gone(client);
    expect([...rig.running]).toEqual([[KEY, 0]]);
  });
});
