import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { type BuildHistoryEvent, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { endpoint, startReplica } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { FacadeRig, Messages, openCall, resultOf } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { ListenBuildHistory } = controlRpcs;

function at(seconds: number) {
  return { seconds, nanos: 0 };
}

function started(Ref: string): BuildHistoryEvent {
  return { type: "STARTED", record: { Ref, CreatedAt: at(100) } };
}

function ended(Ref: string, Generation = 0, CompletedAt = at(200)): BuildHistoryEvent {
  return { type: "COMPLETE", record: { Ref, CreatedAt: at(100), CompletedAt, Generation } };
}

function deleted(Ref: string): BuildHistoryEvent {
  return { type: "DELETED", record: { Ref } };
}

/** A client that follows, and what it has been told: `STARTED a`. */
class Follower {
  readonly #messages: Messages;

  constructor(rig: FacadeRig, request: object = {}) {
    this.#messages = new Messages(openCall(rig.join().client, ListenBuildHistory, request));
  }

  get told(): string[] {
    return this.#messages.all.map((bytes) => {
      const { type, record } = ListenBuildHistory.responseDeserialize(bytes);
      return `${type} ${record?.Ref}${record?.Generation ? ` ${record.Generation}` : ""}`;
    });
  }

  async hears(...told: string[]): Promise<void> {
    await expect.poll(() => this.told, SOON).toEqual(told);
  }
}

/** Resolves once the replica has been asked what there is. */
async function isListed(replica: GrpcReplica, times = 1): Promise<void> {
  const asked = () => replica.calls.filter((path) => path === ListenBuildHistory.path).length;
  await expect.poll(asked, SOON).toBe(times);
}

async function startRig(replicas: Record<string, GrpcReplica>): Promise<FacadeRig> {
  const rig = new FacadeRig(replicas);
  await rig.ready(...Object.keys(replicas));
  await expect.poll(() => Object.values(replicas).every(({ followers }) => followers === 1), SOON).toBe(true);
  return rig;
}

describe("a client that follows the history of builds", () => {
  test("is told what there is, then each start, end, change and deletion once, on any replica", async () => {
    const [a, b] = [await startReplica({ history: [started("a1")] }), await startReplica({ history: [ended("b0")] })];
    const rig = await startRig({ a, b });
    const follower = new Follower(rig);
    await follower.hears("STARTED a1", "COMPLETE b0");
    b.tell(started("b1"));
    await follower.hears("STARTED a1", "COMPLETE b0", "STARTED b1");
    a.tell(ended("a1"));
    await expect.poll(() => follower.told.at(-1), SOON).toBe("COMPLETE a1");
    // The trace comes later, with a record of a higher generation.
    a.tell(ended("a1"), ended("a1", 1), deleted("a1"));
    b.tell(deleted("unknown"));
    await expect.poll(() => follower.told.at(-1), SOON).toBe("DELETED a1");
    b.tell(ended("b1"));
    await follower.hears(
      "STARTED a1",
      "COMPLETE b0",
      "STARTED b1",
      "COMPLETE a1",
      "COMPLETE a1 1",
      "DELETED a1",
      "COMPLETE b1",
    );
  });

  test("is one of many for whom no replica has to say anything twice", async () => {
    const a = await startReplica();
    const rig = await startRig({ a });
    const followers = Array.from({ length: 10 }, () => new Follower(rig));
    await isListed(a, 10);
    for (let build = 0; build < 50; build++) a.tell(started(`${build}`));
    for (let build = 0; build < 50; build++) a.tell(ended(`${build}`));
    for (const follower of followers) {
      await expect.poll(() => follower.told.length, SOON).toBe(100);
      expect(new Set(follower.told).size).toBe(100);
    }
    expect(a.followers).toBe(1);
  });

  test("of one build is told of no other", async () => {
    const a = await startReplica({ history: [started("mine"), started("other")] });
    const rig = await startRig({ a });
    const follower = new Follower(rig, { Ref: "mine" });
    await follower.hears("STARTED mine");
    a.tell(ended("other"), ended("mine"));
    await follower.hears("STARTED mine", "COMPLETE mine");
  });

  test("of running builds is told of ends, too", async () => {
    const a = await startReplica({ history: [started("runs"), ended("done")] });
    const rig = await startRig({ a });
    const follower = new Follower(rig, { ActiveOnly: true });
    await follower.hears("STARTED runs");
    a.tell(ended("runs"));
    await follower.hears("STARTED runs", "COMPLETE runs");
  });

  test("survives a replica's loss, and is told once it is back what happened meanwhile, and nothing twice", async () => {
    const [a, b] = [await startReplica({ history: [started("a1"), ended("a0", 0, at(50))] }), await startReplica()];
    const rig = await startRig({ a, b });
    const follower = new Follower(rig);
    await follower.hears("STARTED a1", "COMPLETE a0");
    rig.lab.fleet.reportFailure("a", "lost");
    b.tell(started("b1"));
    await follower.hears("STARTED a1", "COMPLETE a0", "STARTED b1");
    a.behaviour.history = [ended("a0", 0, at(50)), ended("a1"), started("a2")];
    await rig.lab.nextCheck();
    await rig.ready("a");
    await follower.hears("STARTED a1", "COMPLETE a0", "STARTED b1", "STARTED a2", "COMPLETE a1");
  });

  test("is told what runs on a replica that comes, and not what had run there before", async () => {
    const a = await startReplica();
    const late = await startReplica({
      history: [started("late1"), ended("old", 0, at(1))],
      timestamp: "1970-01-01T00:10:00Z",
    });
    const rig = await startRig({ a });
    const follower = new Follower(rig);
    await isListed(a);
    a.tell(started("a1"));
    await follower.hears("STARTED a1");
    rig.lab.report(endpoint("a", a), endpoint("late", late));
    await follower.hears("STARTED a1", "STARTED late1");
    late.tell(ended("late1", 0, at(700)));
    await follower.hears("STARTED a1", "STARTED late1", "COMPLETE late1");
  });

  test("is told nothing twice of what happens while it is told what there is", async () => {
    const [a, slow] = [await startReplica({ history: [started("a1")] }), await startReplica()];
    const rig = await startRig({ a, slow });
    slow.behaviour.isSilent = true;
    const follower = new Follower(rig);
    await follower.hears("STARTED a1");
    a.tell(started("a1"), ended("a1"), started("a2"));
    await expect.poll(() => rig.lab.fleet.holdersOf("a2"), SOON).toEqual(["a"]);
    rig.lab.clock.advance(5_000);
    await follower.hears("STARTED a1", "COMPLETE a1", "STARTED a2");
  });

  test("and does not read is sent away before it costs much memory", async () => {
    const a = await startReplica();
    const rig = await startRig({ a });
    const stream = openCall(rig.join().client, ListenBuildHistory, {});
    stream.pause();
    await isListed(a);
    const large = "x".repeat(100_000);
    for (let build = 0; build < 100; build++) {
      a.tell({ type: "STARTED", record: { Ref: `${build}`, FrontendAttrs: { large } } });
    }
    await expect.poll(() => rig.lab.fleet.holdersOf("99"), SOON).toEqual(["a"]);
    const result = resultOf(stream);
    stream.resume();
    const { status: code, message } = await result;
    expect([code, message]).toEqual([
      status.RESOURCE_EXHAUSTED,
      "history is not read: more than 4194304 bytes of it wait",
    ]);
  });

  test("leaves nothing behind when it goes", async () => {
    const a = await startReplica();
    const rig = await startRig({ a });
    const follower = new Follower(rig);
    await isListed(a);
    a.tell(started("a1"));
    await follower.hears("STARTED a1");
    const { client } = rig.join();
    const gone = new Messages(openCall(client, ListenBuildHistory, {}));
    await isListed(a, 2);
    a.tell(started("a2"));
    await expect.poll(() => gone.all.length, SOON).toBeGreaterThan(0);
    client.destroy();
    a.tell(started("a3"));
    await follower.hears("STARTED a1", "STARTED a2", "STARTED a3");
  });
});
