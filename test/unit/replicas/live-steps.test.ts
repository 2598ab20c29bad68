import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { ReplicaClient } from "../../../src/buildkit/replica-client.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { LiveSteps } from "../../../src/replicas/live-steps.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A replica's client that notes what is asked of it. */
class AskedClient {
  readonly streams = new Map<string, EventEmitter>();
  readonly cancelled: string[] = [];

  readonly stream: ReplicaClient["stream"] = (_rpc, request) => {
    const ref = controlRpcs.Status.requestDeserialize(request).Ref;
    const stream = Object.assign(new EventEmitter(), { cancel: () => void this.cancelled.push(ref) });
    this.streams.set(ref, stream);
    return stream as unknown as ReturnType<ReplicaClient["stream"]>;
  };
}

function vertex(digest: string, isCompleted: boolean) {
  const time = { seconds: 1_700_000_000, nanos: 0 };
  return { digest, name: digest, started: time, ...(isCompleted && { completed: time }) };
}

function message(...vertexes: ReturnType<typeof vertex>[]): Buffer {
  const logs = [{ vertex: "a", timestamp: { seconds: 1, nanos: 0 }, stream: 1, msg: Buffer.from("a line\n") }];
  return controlRpcs.Status.responseSerialize({ vertexes, logs });
}

function rig() {
  const clock = new FakeClock();
  const client = new AskedClient();
  const steps = new LiveSteps({ clock, client: (id) => (id === "gone" ? undefined : client) });
  return { clock, client, steps };
}

test("each step counts once, as done when it was last told to be", () => {
  const { client, steps } = rig();
  expect(steps.of("r", "a")).toBeUndefined();
  const stream = client.streams.get("r")!;
  stream.emit("data", message(vertex("a", false), vertex("b", false)));
  expect(steps.of("r", "a")).toEqual({ done: 0, total: 2 });
  stream.emit("data", message(vertex("a", true), vertex("c", true)));
  stream.emit("data", message(vertex("a", true)));
  expect(steps.of("r", "a")).toEqual({ done: 2, total: 3 });
  stream.emit("data", message(vertex("c", false)));
  stream.emit("data", Buffer.from("ffffff", "hex"));
  stream.emit("error", new Error("the build has ended"));
  expect(steps.of("r", "a")).toEqual({ done: 1, total: 3 });
  expect(client.streams.size).toBe(1);
});

test("a build is watched only while somebody asks, and only on a replica that can be asked", () => {
  const { clock, client, steps } = rig();
  steps.of("forgotten", "a");
  steps.of("followed", "a");
  expect(steps.of("unreachable", "gone")).toBeUndefined();
  for (let second = 0; second < 10; second++) {
    clock.advance(1_000);
    steps.of("followed", "a");
  }
  expect(client.cancelled).toEqual(["forgotten"]);
  clock.advance(20_000);
  expect(client.cancelled).toEqual(["forgotten", "followed"]);
  steps.of("followed", "a");
  steps.stop();
  expect(client.cancelled).toEqual(["forgotten", "followed", "followed"]);
});

test("32 builds are watched at once, and their steps are bounded", () => {
  const { client, steps } = rig();
  for (let build = 0; build < 40; build++) steps.of(`r${build}`, "a");
  expect(client.streams.size).toBe(32);
  const stream = client.streams.get("r0")!;
  stream.emit("data", message(vertex("d".repeat(201), false)));
  for (let part = 0; part < 3; part++) {
    stream.emit("data", message(...Array.from({ length: 4_000 }, (_, index) => vertex(`${part}-${index}`, false))));
  }
  expect(steps.of("r0", "a")).toEqual({ done: 0, total: 10_000 });
});
