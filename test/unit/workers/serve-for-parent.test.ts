import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { Deferred } from "../../../src/base/deferred.ts";
import type { TakeClient } from "../../../src/dataplane/switch.ts";
import { type ParentChannel, serveForParent } from "../../../src/workers/serve-for-parent.ts";
import type { WorkerOrder, WorkerReport } from "../../../src/workers/worker-messages.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { START } from "./fake-child.ts";

/** The process that has started this one, as the test plays it. */
class FakeParent extends EventEmitter implements ParentChannel {
  readonly reports: WorkerReport[] = [];
  #waiting: (() => void)[] = [];

  send(report: WorkerReport, _handle: undefined, _options: object, callback: (error: Error | null) => void): boolean {
    this.reports.push(report);
    callback(null);
    for (const resolve of this.#waiting.splice(0)) resolve();
    return true;
  }

  orders(order: WorkerOrder, socket?: Socket): void {
    this.emit("message", order, socket);
  }

  /** Resolves once it has been told of this. */
  async hears<T extends WorkerReport["t"]>(t: T): Promise<Extract<WorkerReport, { t: T }>> {
    for (;;) {
      const found = this.reports.find((report): report is Extract<WorkerReport, { t: T }> => report.t === t);
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A gateway that tells what it was asked, with one way in. */
function startWorker({ start = async () => {} }: { start?: () => Promise<void> } = {}) {
  const parent = new FakeParent();
  const asked: string[] = [];
  const drained = new Deferred<void>();
  const clients: Parameters<TakeClient>[] = [];
  const ended = serveForParent({
    parent,
    clock: new FakeClock(),
    start: async (_message, openWay) => {
      openWay(0, (...client) => void clients.push(client));
      await start();
      return {
        drain: (delayMs) => {
          asked.push(`drain ${delayMs}`);
          return drained.promise;
        },
        stop: async () => void asked.push("stop"),
        setLogLevel: (level) => void asked.push(`log ${level}`),
      };
    },
    onOrphaned: () => void asked.push("orphaned"),
  });
  parent.orders(START);
  return { parent, asked, drained, clients, ended };
}

function fakeSocket() {
  const closed = new Deferred<void>();
  return { socket: { destroy: () => closed.resolve() } as unknown as Socket, closed: closed.promise };
}

test("a worker says when it serves, takes clients, and says when they are gone", async () => {
  const { parent, clients } = startWorker();
  await parent.hears("serving");
  const { socket } = fakeSocket();
  parent.orders({ t: "client", way: 0 }, socket);
  expect(clients.map(([given]) => given)).toEqual([socket]);
  await parent.hears("taken");
  clients[0]![1]();
  expect(await parent.hears("load")).toEqual({ t: "load", closed: 1, busy: 0 });
});

test("a client that has no way in, or whose socket was lost on the way, counts as gone", async () => {
  const { parent } = startWorker();
  await parent.hears("serving");
  const { socket, closed } = fakeSocket();
  parent.orders({ t: "client", way: 7 }, socket);
  parent.orders({ t: "client", way: 0 });
  await closed;
  expect(await parent.hears("load")).toMatchObject({ closed: 2 });
});

test("a worker that cannot start says why and ends with 1", async () => {
  const { parent, ended } = startWorker({ start: () => Promise.reject(new Error("tls.cert: no such file")) });
  expect(await ended).toBe(1);
  expect(parent.reports).toEqual([{ t: "not_started", reason: "tls.cert: no such file" }]);
});

test("a worker that is told to go away ends with 0 when its builds have ended", async () => {
  const { parent, asked, drained, ended } = startWorker();
  await parent.hears("serving");
  parent.orders({ t: "drain", delayMs: 5_000 });
  expect(asked).toEqual(["drain 5000"]);
  drained.resolve();
  expect(await ended).toBe(0);
  expect(asked).toEqual(["drain 5000", "stop"]);
});

test("a second order ends it at once with 1", async () => {
  const { parent, asked, ended } = startWorker();
  await parent.hears("serving");
  parent.orders({ t: "drain", delayMs: 0 });
  parent.orders({ t: "stop" });
  expect(await ended).toBe(1);
  expect(asked).toEqual(["drain 0", "stop"]);
});

test("a worker whose parent is gone stops, and removes what the parent leaves behind", async () => {
  const { parent, asked, ended } = startWorker();
  await parent.hears("serving");
  parent.emit("disconnect");
  expect(await ended).toBe(1);
  expect(asked).toEqual(["orphaned", "stop"]);
});

test("a log level that comes while it starts is in force once it serves", async () => {
  const starting = new Deferred<void>();
  const { parent, asked } = startWorker({ start: () => starting.promise });
  parent.orders({ t: "log_level", level: "debug" });
  starting.resolve();
  await parent.hears("serving");
  expect(asked).toEqual(["log debug"]);
});
