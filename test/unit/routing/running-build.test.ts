import { describe, expect, test } from "vitest";
import type { Caller } from "../../../src/identity/caller.ts";
import { Policy } from "../../../src/identity/policy.ts";
import { fairTurn } from "../../../src/routing/running-build.ts";
import { gatedRig, probe, QUEUE_FULL, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

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
  test("by its caller's repository, whatever the build says of itself", async () => {
    const rig = new RoutingRig(["a"]);
    const caller = { repository: "github.com/acme/real", pod: "runner-1" };
    rig.solve(new ScriptedClient("10.0.0.1", caller), solve("r1"));
    rig.solve(new ScriptedClient("10.0.0.2", caller), solve("r2", KEYLESS));
    await settled();
    expect([...rig.running]).toEqual([["github.com/acme/real", 2]]);
  });

  test("by its caller's certificate where it has no key, and by its key where it has one", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient("10.0.0.1", { certificateNames: ["cn:dev"] });
    rig.solve(client, solve("r1", KEYLESS));
    rig.solve(client, solve("r2"));
    await settled();
    expect([...rig.running]).toEqual([
      ["caller:cn:dev", 1],
      [KEY, 1],
    ]);
  });

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

describe("of a build that has ended it is told", () => {
  test("who built, where, why, and how long it waited and ran", async () => {
    const { rig, gate } = gatedRig(["a"]);
    const caller = { repository: "github.com/acme/app", job: "build" };
    const call = rig.solve(new ScriptedClient("10.0.0.1", caller), solve("r"));
    rig.clock.advance(1_500);
    gate.open();
    await settled();
    rig.clock.advance(4_000);
    call.moved = { receivedBytes: 5_000, sentBytes: 70 };
    call.succeed();
    expect(rig.ended).toEqual([
      {
        buildRef: "r",
        caller,
        key: KEY,
        replicaId: "a",
        reason: "preferred",
        receivedBytes: 5_000,
        sentBytes: 70,
        waitedMs: 1_500,
        ranMs: 4_000,
        outcome: "succeeded",
        cause: "",
      },
    ]);
  });

  test("that it followed its client's first build", async () => {
    const rig = new RoutingRig(["a"]);
    const client = new ScriptedClient();
    for (const ref of ["r1", "r2"]) {
      const call = rig.solve(client, solve(ref));
      await settled();
      call.succeed();
    }
    expect(rig.ended.map(({ reason }) => reason)).toEqual(["preferred", "followed"]);
  });

  test("that it was refused, or left by its client while it waited, and ran nowhere", async () => {
    const { rig, gate } = gatedRig(["a"]);
    rig.solve(new ScriptedClient("10.0.0.1"), solve("left")).end();
    rig.solve(new ScriptedClient("10.0.0.2"), solve("refused"));
    gate.open(QUEUE_FULL);
    await settled();
    const nowhere = { replicaId: undefined, reason: undefined, ranMs: 0 };
    expect(rig.ended).toMatchObject([
      { buildRef: "left", outcome: "cancelled", ...nowhere },
      { buildRef: "refused", outcome: "refused", ...nowhere },
    ]);
  });

  test("nothing of a probe", async () => {
    const rig = new RoutingRig(["a"]);
    const call = rig.solve(new ScriptedClient(), probe("probe"));
    await settled();
    call.succeed();
    expect(rig.ended).toEqual([]);
  });
});

describe("where a policy bounds its caller's builds, a build takes its caller's turn", () => {
  const who = { certificates: ["cn:*"], namespaces: [], workloads: [], repositories: [], workflows: [] };
  const rule = { name: "few", who, allow: undefined, refuse: [], entitlements: undefined, maxBuilds: 2 };
  const policy = new Policy([{ ...rule, pools: undefined, pool: undefined }]);
  const call = (caller: Caller) => ({ caller, client: new ScriptedClient("10.0.0.1") });

  test.each<[Caller, string, number | undefined]>([
    [{ certificateNames: ["cn:dev"] }, "few: caller:cn:dev", 2],
    [{ certificateNames: ["cn:dev"], repository: "github.com/acme/app" }, "few: github.com/acme/app", 2],
    [{ repository: "github.com/acme/app" }, "github.com/acme/app", undefined],
    [{}, "key", undefined],
  ])("%j: %s", (caller, expected, perKey) => {
    expect(fairTurn("key", call(caller), policy)).toEqual({ fairKey: expected, perKey });
  });
});
