import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { type BuildHistoryEvent, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { startReplica } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { FacadeRig } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { ListenBuildHistory } = controlRpcs;

/** A completed build, created at that second. */
function completed(Ref: string, seconds: number): BuildHistoryEvent {
  const [CreatedAt, CompletedAt] = [seconds, seconds + 1].map((at) => ({ seconds: at, nanos: 0 }));
  return {
    type: "COMPLETE",
    record: { Ref, CreatedAt: CreatedAt!, CompletedAt: CompletedAt!, logs: { digest: `of ${Ref}` } },
  };
}

function running(Ref: string): BuildHistoryEvent {
  return { type: "STARTED", record: { Ref, CreatedAt: { seconds: 1, nanos: 0 } } };
}

function replicaWith(...history: BuildHistoryEvent[]): Promise<GrpcReplica> {
  return startReplica({ history });
}

async function refs(rig: FacadeRig, request: object): Promise<(string | undefined)[]> {
  const { values, status: ended, message } = await rig.ask(ListenBuildHistory, { EarlyExit: true, ...request });
  expect(ended, message).toBe(0);
  return values.map(({ record }) => record?.Ref);
}

async function threeReplicas(): Promise<{ rig: FacadeRig; replicas: GrpcReplica[] }> {
  const replicas = [
    await replicaWith(completed("a1", 10), completed("a2", 40)),
    await replicaWith(running("b-runs"), completed("b1", 30)),
    await replicaWith(completed("c1", 20), running("c-runs")),
  ];
  const rig = new FacadeRig({ a: replicas[0]!, b: replicas[1]!, c: replicas[2]! });
  await rig.ready("a", "b", "c");
  return { rig, replicas };
}

describe("a list of builds", () => {
  test("has every replica's, running ones first", async () => {
    const { rig } = await threeReplicas();
    const all = await refs(rig, {});
    expect(all.slice(0, 2).sort()).toEqual(["b-runs", "c-runs"]);
    expect(all.slice(2).sort()).toEqual(["a1", "a2", "b1", "c1"]);
  });

  test("with a limit has the newest of all, newest first, and all running ones", async () => {
    const { rig } = await threeReplicas();
    const newest = await refs(rig, { Limit: 3 });
    expect(newest.slice(2)).toEqual(["a2", "b1", "c1"]);
  });

  test("of running builds has no other", async () => {
    const { rig } = await threeReplicas();
    expect((await refs(rig, { ActiveOnly: true })).sort()).toEqual(["b-runs", "c-runs"]);
  });

  test("tells the gateway's time at once", async () => {
    const { rig } = await threeReplicas();
    rig.lab.clock.advance(3_500);
    const { headers } = await rig.call(ListenBuildHistory, { EarlyExit: true });
    expect(headers["buildkit-current-timestamp"]).toBe("1970-01-01T00:00:03.5Z");
  });

  test("without a replica is an error that names it, and no list; or what the others have", async () => {
    const { rig, replicas } = await threeReplicas();
    rig.lab.fleet.reportFailure("b", "lost");
    const { messages, status: ended, message } = await rig.call(ListenBuildHistory, { EarlyExit: true });
    expect([messages.length, ended]).toEqual([0, status.UNAVAILABLE]);
    expect(message).toContain("replica b (lost) (control.incomplete.history)");
    const lenient = new FacadeRig(
      { a: replicas[0]!, b: replicas[1]! },
      { incomplete: { diskUsage: "error", prune: "error", history: "omit" } },
    );
    await lenient.ready("a", "b");
    lenient.lab.fleet.reportFailure("b", "lost");
    expect((await refs(lenient, {})).sort()).toEqual(["a1", "a2"]);
  });

  test("does not wait for a replica that hangs for longer than it may take", async () => {
    const { rig, replicas } = await threeReplicas();
    replicas[1]!.behaviour.isSilent = true;
    const answer = rig.call(ListenBuildHistory, { EarlyExit: true });
    await expect.poll(() => replicas[1]!.calls.includes(ListenBuildHistory.path), SOON).toBe(true);
    rig.lab.clock.advance(5_000);
    expect((await answer).message).toContain("replica b (no answer in 5000 ms)");
  });

  test("that a replica refuses is refused in its own words", async () => {
    const { rig, replicas } = await threeReplicas();
    replicas[2]!.behaviour.historyFailure = status.INVALID_ARGUMENT;
    expect(await rig.call(ListenBuildHistory, { EarlyExit: true })).toMatchObject({
      status: status.INVALID_ARGUMENT,
      message: "no history",
    });
  });

  test("of nobody is an error, whatever may be left out: so are disk usage and prune", async () => {
    const incomplete = { diskUsage: "omit", prune: "omit", history: "omit" } as const;
    const rig = new FacadeRig({}, { incomplete });
    const results = [
      await rig.call(ListenBuildHistory, { EarlyExit: true }),
      await rig.call(ListenBuildHistory, { EarlyExit: true, Ref: "r" }),
      await rig.call(controlRpcs.DiskUsage, {}),
      await rig.call(controlRpcs.Prune, {}),
    ];
    for (const { status: ended, message } of results) {
      expect([ended, message]).toEqual([status.UNAVAILABLE, "no replica can be asked: none is known"]);
    }
  });

  test("with a limit below 0 is refused", async () => {
    const { rig } = await threeReplicas();
    expect((await rig.call(ListenBuildHistory, { EarlyExit: true, Limit: -1 })).status).toBe(status.INVALID_ARGUMENT);
  });
});

describe("a question about one build", () => {
  test("goes to the replica that is known to have it, and to no other", async () => {
    const { rig, replicas } = await threeReplicas();
    await expect.poll(() => rig.lab.fleet.holdersOf("c1"), SOON).toEqual(["c"]);
    expect(await refs(rig, { Ref: "c1" })).toEqual(["c1"]);
    const asked = replicas.map(({ calls }) => calls.filter((path) => path === ListenBuildHistory.path).length);
    expect(asked).toEqual([0, 0, 1]);
    expect(rig.owners.of("of c1")).toEqual(["c"]);
  });

  test("goes to all where nobody is known to have it; the first that has it answers for all", async () => {
    const { rig, replicas } = await threeReplicas();
    replicas[1]!.behaviour.history.push(completed("late", 50));
    replicas[0]!.behaviour.isSilent = true;
    rig.lab.fleet.reportFailure("c", "lost");
    expect(await refs(rig, { Ref: "late" })).toEqual(["late"]);
  });

  test("that nobody has is answered with nothing, or with who could not be asked", async () => {
    const { rig } = await threeReplicas();
    expect(await refs(rig, { Ref: "unknown" })).toEqual([]);
    rig.lab.fleet.reportFailure("c", "lost");
    const { status: ended, message } = await rig.call(ListenBuildHistory, { EarlyExit: true, Ref: "unknown" });
    expect(ended).toBe(status.UNAVAILABLE);
    expect(message).toContain("replica c (lost)");
  });

  test("is answered with both records where two replicas have the ref", async () => {
    const [a, b] = [await replicaWith(completed("both", 1)), await replicaWith(completed("both", 2))];
    const rig = new FacadeRig({ a, b });
    await rig.ready("a", "b");
    await expect.poll(() => rig.lab.fleet.holdersOf("both").length, SOON).toBe(2);
    expect(await refs(rig, { Ref: "both" })).toEqual(["both", "both"]);
  });

  test("is asked again where the gateway makes its connection anew meanwhile", async () => {
    const { rig, replicas } = await threeReplicas();
    await expect.poll(() => rig.lab.fleet.holdersOf("c1"), SOON).toEqual(["c"]);
    replicas[2]!.behaviour.isSilent = true;
    const answer = refs(rig, { Ref: "c1" });
    await expect.poll(() => replicas[2]!.calls.includes(ListenBuildHistory.path), SOON).toBe(true);
    replicas[2]!.behaviour.isSilent = false;
    rig.lab.fleet.reportLost("c", "connection reset");
    expect(await answer).toEqual(["c1"]);
  });
});
