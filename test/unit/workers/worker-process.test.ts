import { expect, test } from "vitest";
import { type WaitingClient, WorkerProcess } from "../../../src/workers/worker-process.ts";
import { FakeChild, fakeClient, START } from "./fake-child.ts";

function startWorker() {
  const child = new FakeChild();
  const ended: { reason: string; was: string; unread: readonly WaitingClient[] }[] = [];
  const worker = new WorkerProcess(child, START, {
    serving: () => {},
    ended: ({ reason }, was, unread) => ended.push({ reason, was, unread }),
  });
  return { child, worker, ended };
}

test("a worker is told first what it is to be, and serves when it says so", () => {
  const { child, worker } = startWorker();
  expect(child.told).toEqual([START]);
  expect(worker.state.t).toBe("starting");
  child.tells({ t: "serving" });
  expect(worker.state.t).toBe("serving");
});

test("clients are sent one at a time, and are the worker's alone once it has them", () => {
  const { child, worker } = startWorker();
  child.tells({ t: "serving" });
  const [first, second] = [fakeClient(0), fakeClient(1)];
  worker.give(first);
  worker.give(second);
  expect(child.clients).toEqual([first.socket]);
  expect(first.isClosed()).toBe(false);
  child.tells({ t: "taken" });
  expect(first.isClosed()).toBe(true);
  expect(child.clients).toEqual([first.socket, second.socket]);
  expect(child.told.slice(1)).toEqual([
    { t: "client", way: 0 },
    { t: "client", way: 1 },
  ]);
});

test("clients count from when they are given until the worker says that they are gone", () => {
  const { child, worker } = startWorker();
  child.tells({ t: "serving" });
  worker.give(fakeClient());
  worker.give(fakeClient());
  expect(worker.open).toBe(2);
  child.tells({ t: "load", closed: 1, busy: 0.25 });
  expect(worker).toMatchObject({ open: 1, busy: 0.25 });
});

test("a worker that dies loses the client on its way, and gives back those of which nothing was read", () => {
  const { child, worker, ended } = startWorker();
  child.tells({ t: "serving" });
  const [first, second, third] = [fakeClient(), fakeClient(), fakeClient()];
  for (const client of [first, second, third]) worker.give(client);
  child.ends(null, "SIGKILL");
  expect(ended).toEqual([{ reason: "SIGKILL", was: "serving", unread: [second, third] }]);
  expect([first, second, third].map(({ isClosed }) => isClosed())).toEqual([true, false, false]);
  expect(worker.open).toBe(0);
});

test("a worker that cannot start says why", () => {
  const { child, ended } = startWorker();
  child.tells({ t: "not_started", reason: "tls.cert: no such file or directory" });
  child.ends(1);
  expect(ended).toEqual([{ reason: "tls.cert: no such file or directory", was: "starting", unread: [] }]);
});

test("a worker that was told to go has left, and not died", () => {
  const { child, worker, ended } = startWorker();
  child.tells({ t: "serving" });
  worker.tell({ t: "drain", delayMs: 5 });
  child.ends(0);
  expect(ended).toEqual([{ reason: "status 0", was: "leaving", unread: [] }]);
});
