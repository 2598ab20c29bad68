import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { startReplica } from "../../support/fleet-under-test.ts";
import { type GrpcReplica, refusal } from "../../support/grpc-replica.ts";
import { FacadeRig } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { DiskUsage } = controlRpcs;

async function replicaWith(...ids: string[]): Promise<GrpcReplica> {
  const replica = await startReplica();
  replica.unary.set(DiskUsage.path, ({ filter }) => ({
    record: ids.map((ID) => ({ ID, Size: 1_000, Description: String(filter) })),
  }));
  return replica;
}

test("is what every replica has, one after the other, by the same filter", async () => {
  const rig = new FacadeRig({ a: await replicaWith("a1", "a2"), b: await replicaWith(), c: await replicaWith("c1") });
  await rig.ready("a", "b", "c");
  const { values, status: ended } = await rig.ask(DiskUsage, { filter: ["type==regular"] });
  expect(ended).toBe(0);
  expect(values[0]?.record.map(({ ID }) => ID)).toEqual(["a1", "a2", "c1"]);
  expect(values[0]?.record[0]).toMatchObject({ Description: "type==regular", Size: "1000" });
});

test("of more than a client accepts is refused, with what to do", async () => {
  const replicas = await Promise.all(["a", "b"].map(() => startReplica()));
  for (const replica of replicas) {
    replica.unary.set(DiskUsage.path, () => ({ record: [{ ID: "x", Description: "y".repeat(9 * 2 ** 20) }] }));
  }
  const rig = new FacadeRig({ a: replicas[0]!, b: replicas[1]! });
  await rig.ready("a", "b");
  const { status: ended, message } = await rig.call(DiskUsage, {});
  expect(ended).toBe(status.RESOURCE_EXHAUSTED);
  expect(message).toContain("ask with a filter");
});

test("what a replica refuses is refused in its own words, with what it attached", async () => {
  const b = await startReplica();
  const attached = Buffer.from("details of b");
  b.unary.set(DiskUsage.path, () => {
    throw refusal(status.UNKNOWN, "no such filter", attached);
  });
  const rig = new FacadeRig({ a: await replicaWith("a1"), b });
  await rig.ready("a", "b");
  const result = await rig.call(DiskUsage, {});
  expect(result).toMatchObject({ status: status.UNKNOWN, message: "no such filter" });
  expect(result.headers["grpc-status-details-bin"]).toEqual(attached.toString("base64"));
});

test("without a replica is an error that names it, or what the others have", async () => {
  const [a, b] = [await replicaWith("a1"), await replicaWith("b1")];
  const rig = new FacadeRig({ a, b });
  const lenient = new FacadeRig({ a, b }, { incomplete: { diskUsage: "omit", prune: "error", history: "error" } });
  for (const { lab } of [rig, lenient]) {
    await Promise.all([lab.reaches("a", "ready"), lab.reaches("b", "ready")]);
    lab.fleet.reportFailure("b", "connect ECONNREFUSED 10.0.0.7:1234");
  }
  expect(await rig.call(DiskUsage, {})).toMatchObject({
    status: status.UNAVAILABLE,
    message:
      "the answer would not be complete without replica b (connect ECONNREFUSED 10.0.0.7:1234) (control.incomplete.diskUsage)",
  });
  const { values } = await lenient.ask(DiskUsage, {});
  expect(values[0]?.record.map(({ ID }) => ID)).toEqual(["a1"]);
});

test("does not wait for a replica that hangs once it is ejected, nor for ever before", async () => {
  const [a, b] = [await replicaWith("a1"), await startReplica()];
  const rig = new FacadeRig({ a, b });
  await rig.ready("a", "b");
  const asked = () => expect.poll(() => b.calls.includes(DiskUsage.path), SOON).toBe(true);
  const ejected = rig.call(DiskUsage, {});
  await asked();
  rig.lab.fleet.reportFailure("b", "no answer in 2000 ms");
  expect((await ejected).message).toContain("replica b (no answer in 2000 ms)");
  await rig.lab.nextCheck();
  await rig.ready("b");
  b.calls.length = 0;
  const waiting = rig.call(DiskUsage, {});
  await asked();
  rig.lab.clock.advance(60_000);
  expect((await waiting).message).toContain("replica b (no answer in 60000 ms)");
});
