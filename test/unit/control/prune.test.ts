import { type ServerWritableStream, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { endpoint, startReplica } from "../../support/fleet-under-test.ts";
import { type GrpcReplica, refusal } from "../../support/grpc-replica.ts";
import { FacadeRig, Messages, openCall } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { Prune } = controlRpcs;

type PruneCall = ServerWritableStream<Readonly<Record<string, unknown>>, object>;

async function pruningReplica(answer: (call: PruneCall) => void): Promise<GrpcReplica> {
  const replica = await startReplica();
  replica.streams.set(Prune.path, answer);
  return replica;
}

function throwsAway(...ids: string[]): Promise<GrpcReplica> {
  return pruningReplica((call) => {
    for (const ID of ids) call.write({ ID, Size: 10 });
    call.end();
  });
}

test("throws away on every replica, and forgets what was warm where something was", async () => {
  const rig = new FacadeRig({ a: await throwsAway("a1", "a2"), b: await throwsAway(), c: await throwsAway("c1") });
  await rig.ready("a", "b", "c");
  const { values, status: ended } = await rig.ask(Prune, { all: true });
  expect(ended).toBe(0);
  expect(values.map(({ ID }) => ID).sort()).toEqual(["a1", "a2", "c1"]);
  expect(rig.pruned.sort()).toEqual(["a", "c"]);
});

test("a replica that fails stops no other, and is heard of when all have ended", async () => {
  const calls: PruneCall[] = [];
  const a = await pruningReplica((call) => call.emit("error", refusal(status.UNKNOWN, "a is broken")));
  const b = await pruningReplica((call) => calls.push(call));
  const rig = new FacadeRig({ a, b });
  await rig.ready("a", "b");
  const answer = rig.call(Prune, {});
  await expect.poll(() => calls.length, SOON).toBe(1);
  calls[0]!.write({ ID: "b1", Size: 1 });
  calls[0]!.end();
  const { messages, status: ended, message } = await answer;
  expect(messages).toHaveLength(1);
  expect([ended, message]).toEqual([status.UNKNOWN, "a is broken"]);
});

test("a missing replica is named when the others are pruned, unless it may be left out", async () => {
  const [a, b] = [await throwsAway("a1"), await throwsAway("b1")];
  for (const prune of ["error", "omit"] as const) {
    const rig = new FacadeRig({ a, b }, { incomplete: { diskUsage: "error", prune, history: "error" } });
    await rig.ready("a", "b");
    rig.lab.fleet.reportFailure("b", "lost");
    const { messages, status: ended, message } = await rig.call(Prune, {});
    expect(messages).toHaveLength(1);
    expect(ended).toBe(prune === "error" ? status.UNAVAILABLE : 0);
    if (prune === "error") expect(message).toContain("replica b (lost)");
  }
});

test("a replica that discovery has dropped is waited for no longer than its health checks succeed", async () => {
  const [a, c] = [await throwsAway("a1"), await startReplica({ history: [{ type: "STARTED", record: { Ref: "r" } }] })];
  const rig = new FacadeRig({ a, c });
  await rig.ready("a", "c");
  await rig.lab.runs("c", 1);
  rig.lab.report(endpoint("a", a));
  expect(rig.lab.fleet.replica("c")?.state.t).toBe("gone");
  const answer = rig.call(Prune, {});
  await expect.poll(() => c.calls.includes(Prune.path), SOON).toBe(true);
  c.behaviour.health = "NOT_SERVING";
  rig.lab.clock.advance(5_000);
  const { messages, status: ended } = await answer;
  expect([messages.length, ended]).toEqual([1, 0]);
});

test("a client that cancels cancels it everywhere", async () => {
  const open: PruneCall[] = [];
  const replicas = await Promise.all(["a", "b"].map(() => pruningReplica((call) => open.push(call))));
  const rig = new FacadeRig({ a: replicas[0]!, b: replicas[1]! });
  await rig.ready("a", "b");
  const stream = openCall(rig.join().client, Prune, {});
  await expect.poll(() => open.length, SOON).toBe(2);
  stream.close(8);
  await expect.poll(() => open.map(({ cancelled }) => cancelled), SOON).toEqual([true, true]);
});

test("a client that does not read holds up the replicas, not the gateway's memory", async () => {
  const description = "x".repeat(100_000);
  let isHeldUp = false;
  let written = 0;
  const a = await pruningReplica((call) => {
    const go = () => {
      while (written < 400) {
        written++;
        if (!call.write({ ID: `${written}`, Description: description })) {
          isHeldUp = true;
          call.once("drain", go);
          return;
        }
      }
      call.end();
    };
    go();
  });
  const rig = new FacadeRig({ a });
  await rig.ready("a");
  const stream = openCall(rig.join().client, Prune, {});
  stream.pause();
  await expect.poll(() => isHeldUp, SOON).toBe(true);
  // What it takes to fill every window on the way is far from the 40 MB that there are.
  let last = -1;
  await expect
    .poll(() => {
      const isStill = last === written;
      last = written;
      return isStill;
    }, SOON)
    .toBe(true);
  expect(written).toBeLessThan(200);
  const messages = new Messages(stream);
  stream.resume();
  expect((await messages.count(400)).length).toBe(400);
});
