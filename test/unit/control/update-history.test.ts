import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { type BuildHistoryEvent, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { endpoint, startReplica } from "../../support/fleet-under-test.ts";
import { type GrpcReplica, refusal } from "../../support/grpc-replica.ts";
import { FacadeRig } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { UpdateBuildHistory } = controlRpcs;

function record(Ref: string): BuildHistoryEvent {
  return { type: "COMPLETE", record: { Ref, CompletedAt: { seconds: 1, nanos: 0 } } };
}

function running(Ref: string): BuildHistoryEvent {
  return { type: "STARTED", record: { Ref, CreatedAt: { seconds: 1, nanos: 0 } } };
}

/** Three replicas, and what each was told to change. */
async function threeReplicas(...histories: BuildHistoryEvent[][]) {
  const told: Record<string, object[]> = {};
  const replicas: Record<string, GrpcReplica> = {};
  for (const [index, id] of ["a", "b", "c"].entries()) {
    const replica = await startReplica({ history: histories[index] ?? [] });
    told[id] = [];
    replica.unary.set(UpdateBuildHistory.path, (request) => {
      told[id]!.push(request);
      return {};
    });
    replicas[id] = replica;
  }
  const rig = new FacadeRig(replicas);
  await rig.ready("a", "b", "c");
  return { rig, told, replicas };
}

describe("a change of a build's record", () => {
  test.each([{ Delete: true }, { Pinned: true }, { Finalize: true }])("%j goes to its owner alone", async (change) => {
    const { rig, told } = await threeReplicas([], [record("r")], [record("other")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["b"]);
    expect((await rig.call(UpdateBuildHistory, { Ref: "r", ...change })).status).toBe(0);
    expect(told).toMatchObject({ a: [], b: [{ Ref: "r", ...change }], c: [] });
  });

  test("goes to every replica that has the ref", async () => {
    const { rig, told } = await threeReplicas([record("r")], [], [record("r")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["a", "c"]);
    expect((await rig.call(UpdateBuildHistory, { Ref: "r", Delete: true })).status).toBe(0);
    expect([told.a!.length, told.b!.length, told.c!.length]).toEqual([1, 0, 1]);
  });

  test("finds an owner that is not remembered", async () => {
    const { rig, told, replicas } = await threeReplicas();
    replicas.c!.behaviour.history.push(record("late"));
    expect((await rig.call(UpdateBuildHistory, { Ref: "late", Delete: true })).status).toBe(0);
    expect([told.a!.length, told.b!.length, told.c!.length]).toEqual([0, 0, 1]);
  });

  test("of a ref that nobody has is told to no replica", async () => {
    const { rig, told } = await threeReplicas([record("r")]);
    expect(await rig.call(UpdateBuildHistory, { Ref: "unknown", Delete: true })).toMatchObject({
      status: status.NOT_FOUND,
      message: "no replica has build unknown in its history",
    });
    expect(Object.values(told).flat()).toEqual([]);
  });

  test("of a ref that a missing replica may have names that replica", async () => {
    const { rig, told } = await threeReplicas();
    rig.lab.fleet.reportFailure("b", "lost");
    expect(await rig.call(UpdateBuildHistory, { Ref: "unknown", Delete: true })).toMatchObject({
      status: status.UNAVAILABLE,
      message: "build unknown cannot be changed without replica b (lost)",
    });
    expect(Object.values(told).flat()).toEqual([]);
  });

  test("to finalize an unknown ref goes to all", async () => {
    const { rig, told } = await threeReplicas();
    expect((await rig.call(UpdateBuildHistory, { Ref: "unknown", Finalize: true })).status).toBe(0);
    expect([told.a!.length, told.b!.length, told.c!.length]).toEqual([1, 1, 1]);
  });

  test("that its owner refuses is refused in its words", async () => {
    const { rig, replicas } = await threeReplicas([record("r")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["a"]);
    replicas.a!.unary.set(UpdateBuildHistory.path, () => {
      throw refusal(status.NOT_FOUND, "lease not found");
    });
    expect(await rig.call(UpdateBuildHistory, { Ref: "r", Delete: true })).toMatchObject({
      status: status.NOT_FOUND,
      message: "lease not found",
    });
  });

  test("of a ref whose only owner is gone and cannot be asked is of a ref that nobody has", async () => {
    const { rig, told, replicas } = await threeReplicas([], [], [record("r"), running("runs on")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["c"]);
    rig.lab.report(endpoint("a", replicas.a!), endpoint("b", replicas.b!));
    replicas.c!.kill();
    await expect.poll(() => rig.lab.fleet.client("c"), SOON).toBeUndefined();
    expect(rig.lab.fleet.replica("c")?.state.t).toBe("gone");
    expect(await rig.call(UpdateBuildHistory, { Ref: "r", Delete: true })).toMatchObject({
      status: status.NOT_FOUND,
      message: "no replica has build r in its history",
    });
    expect(Object.values(told).flat()).toEqual([]);
  });

  test("during which its only owner goes is of a ref that nobody has", async () => {
    const { rig, replicas } = await threeReplicas([], [], [record("r")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["c"]);
    replicas.c!.unary.delete(UpdateBuildHistory.path);
    const answer = rig.call(UpdateBuildHistory, { Ref: "r", Delete: true });
    await expect.poll(() => replicas.c!.calls.includes(UpdateBuildHistory.path), SOON).toBe(true);
    rig.lab.report(endpoint("a", replicas.a!), endpoint("b", replicas.b!));
    expect((await answer).status).toBe(status.NOT_FOUND);
  });

  test("during which the gateway makes its connection anew names the replica", async () => {
    const { rig, replicas } = await threeReplicas([record("r")]);
    await expect.poll(() => rig.lab.fleet.holdersOf("r"), SOON).toEqual(["a"]);
    replicas.a!.unary.delete(UpdateBuildHistory.path);
    const answer = rig.call(UpdateBuildHistory, { Ref: "r", Delete: true });
    await expect.poll(() => replicas.a!.calls.includes(UpdateBuildHistory.path), SOON).toBe(true);
    rig.lab.fleet.reportLost("a", "connection reset");
    expect(await answer).toMatchObject({
      status: status.UNAVAILABLE,
      message: "build r cannot be changed without replica a (the connection to it was made anew)",
    });
  });
});
