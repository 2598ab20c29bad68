import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLog } from "../../../src/base/log.ts";
import { type Served, serveUntilSignal } from "../../../src/cli/serve-until-signal.ts";

/** A gateway whose ends the test decides, and that tells what was asked of it. */
class FakeGateway extends EventEmitter implements Served {
  readonly listening = [{ t: "tcp", host: "127.0.0.1", port: 1234 }] as const;
  readonly admin = undefined;
  readonly asked: string[] = [];
  drained = Promise.resolve();
  stopped = Promise.resolve();

  drain(signal: NodeJS.Signals): Promise<void> {
    this.asked.push(`drain ${signal}`);
    this.emit("drain");
    return this.drained;
  }

  stop(): Promise<void> {
    this.asked.push("stop");
    this.emit("stop");
    return this.stopped;
  }
}

/** A clock whose timers run when the test says. */
class ManualClock implements Clock {
  readonly timers: (() => void)[] = [];
  nowMs = () => 0;
  wallTime = () => new Date(0);
  after(_delayMs: number, callback: () => void) {
    this.timers.push(callback);
    return () => void this.timers.splice(this.timers.indexOf(callback), 1);
  }
}

function serve(start: () => Promise<Served>) {
  const signals = new EventEmitter();
  const clock = new ManualClock();
  const ended = serveUntilSignal(start, signals, clock, silentLog());
  return { signals, clock, ended };
}

const NEVER = new Promise<never>(() => {});

test.each(["SIGTERM", "SIGINT"])("the first %s drains, then ends with 0", async (signal) => {
  const gateway = new FakeGateway();
  const { signals, clock, ended } = serve(async () => gateway);
  signals.emit(signal, signal);
  expect(await ended).toBe(0);
  expect(gateway.asked).toEqual([`drain ${signal}`, "stop"]);
  expect(clock.timers).toEqual([]);
});

test("a second signal while draining ends at once with 1", async () => {
  const gateway = new FakeGateway();
  gateway.drained = NEVER;
  const { signals, ended } = serve(async () => gateway);
  const draining = once(gateway, "drain");
  signals.emit("SIGTERM", "SIGTERM");
  await draining;
  signals.emit("SIGINT", "SIGINT");
  expect(await ended).toBe(1);
  expect(gateway.asked).toEqual(["drain SIGTERM", "stop"]);
});

test("a gateway that cannot go on is stopped, and says why", async () => {
  const gateway = Object.assign(new FakeGateway(), { failed: Promise.resolve(new Error("worker 1 has died")) });
  const { ended } = serve(async () => gateway);
  await expect(ended).rejects.toThrow("worker 1 has died");
  expect(gateway.asked).toEqual(["stop"]);
});

test("a gateway whose builds end badly while it drains is stopped, and says why", async () => {
  const gateway = new FakeGateway();
  gateway.drained = Promise.reject(new Error("worker 1 has ended before its builds"));
  const { signals, ended } = serve(async () => gateway);
  signals.emit("SIGTERM", "SIGTERM");
  await expect(ended).rejects.toThrow("worker 1 has ended before its builds");
  expect(gateway.asked).toEqual(["drain SIGTERM", "stop"]);
});

test("a gateway that does not stop is not waited for", async () => {
  const gateway = new FakeGateway();
  gateway.stopped = NEVER;
  const { signals, clock, ended } = serve(async () => gateway);
  const stopping = once(gateway, "stop");
  signals.emit("SIGTERM", "SIGTERM");
  await stopping;
  clock.timers[0]?.();
  expect(await ended).toBe(0);
});

test("a signal while it starts lets it start, and then drains", async () => {
  const gateway = new FakeGateway();
  let started: (gateway: Served) => void = () => {};
  const { signals, ended } = serve(() => new Promise((resolve) => (started = resolve)));
  signals.emit("SIGTERM", "SIGTERM");
  started(gateway);
  expect(await ended).toBe(0);
  expect(gateway.asked).toEqual(["drain SIGTERM", "stop"]);
});

test("two signals while it starts end it with 1", async () => {
  const { signals, ended } = serve(() => NEVER);
  signals.emit("SIGTERM", "SIGTERM");
  signals.emit("SIGTERM", "SIGTERM");
  expect(await ended).toBe(1);
});

test("what cannot start or drain rejects, and no signal is listened for any more", async () => {
  const failing = serve(() => Promise.reject(new Error("port in use")));
  await expect(failing.ended).rejects.toThrow("port in use");
  expect(failing.signals.eventNames()).toEqual([]);

  const gateway = new FakeGateway();
  gateway.drained = Promise.reject(new Error("lost"));
  gateway.drained.catch(() => {});
  const losing = serve(async () => gateway);
  losing.signals.emit("SIGTERM", "SIGTERM");
  await expect(losing.ended).rejects.toThrow("lost");
  expect(losing.signals.eventNames()).toEqual([]);
});
