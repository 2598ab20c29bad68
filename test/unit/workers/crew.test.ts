import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { Crew } from "../../../src/workers/crew.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeChild, fakeClient, START } from "./fake-child.ts";

function makeCrew({ count = 2, maxConnections = 100 } = {}) {
  const children: FakeChild[] = [];
  const clock = new FakeClock();
  const crew = new Crew({
    count,
    clock,
    log: silentLog(),
    maxConnections,
    fork: () => {
      const child = new FakeChild();
      children.push(child);
      return child;
    },
    startMessage: (worker) => ({ ...START, worker }),
  });
  return { crew, children, clock };
}

async function startCrew(options = {}) {
  const made = makeCrew(options);
  const started = made.crew.start();
  for (const child of made.children) child.tells({ t: "serving" });
  await started;
  return made;
}

/** Let a worker die, and wait for the one that takes its place. */
function die({ children, clock }: ReturnType<typeof makeCrew>, index: number): FakeChild {
  children[index]!.ends(null, "SIGKILL");
  clock.advance(5_000);
  return children.at(-1)!;
}

test("it has started when all serve", async () => {
  const { crew, children } = makeCrew();
  let hasStarted = false;
  const started = crew.start().then(() => (hasStarted = true));
  children[1]!.tells({ t: "serving" });
  await Promise.resolve();
  expect(hasStarted).toBe(false);
  children[0]!.tells({ t: "serving" });
  await started;
  expect(children.map(({ told }) => told[0])).toEqual([
    { ...START, worker: 1 },
    { ...START, worker: 2 },
  ]);
});

test("it does not start where one cannot, and says why in that one's words", async () => {
  const { crew, children } = makeCrew();
  const started = crew.start();
  children[0]!.tells({ t: "not_started", reason: "tls.cert: no such file or directory" });
  children[0]!.ends(1);
  await expect(started).rejects.toThrow(/^tls\.cert: no such file or directory$/);
});

test("clients are spread evenly, and each goes with the address where it came", async () => {
  const { crew, children } = await startCrew();
  for (let way = 0; way < 4; way++) crew.take(fakeClient(way));
  for (const child of children) child.tells({ t: "taken" });
  expect(children.map(({ told }) => told.slice(1))).toEqual([
    [
      { t: "client", way: 0 },
      { t: "client", way: 2 },
    ],
    [
      { t: "client", way: 1 },
      { t: "client", way: 3 },
    ],
  ]);
});

test("the bound of connections holds for all of them together", async () => {
  const { crew, children } = await startCrew({ maxConnections: 3 });
  for (let index = 0; index < 3; index++) crew.take(fakeClient());
  const fourth = fakeClient();
  crew.take(fourth);
  expect(fourth.isClosed()).toBe(true);
  expect([crew.refused, crew.overLimit]).toEqual([1, 1]);
  children[1]!.tells({ t: "load", closed: 1, busy: 0 });
  const fifth = fakeClient();
  crew.take(fifth);
  expect(fifth.isClosed()).toBe(false);
});

describe("a worker that dies", () => {
  test("is replaced after a moment, while the others go on", async () => {
    const rig = await startCrew();
    const { crew, children, clock } = rig;
    children[0]!.ends(null, "SIGSEGV");
    expect(crew.members.map(({ worker }) => worker)).toEqual([2]);
    expect(crew.deaths).toBe(1);
    clock.advance(5_000);
    expect(children[2]!.told).toEqual([{ ...START, worker: 1 }]);
    children[2]!.tells({ t: "serving" });
    expect(crew.members.map(({ worker }) => worker)).toEqual([1, 2]);
  });

  test("leaves clients of which it has read nothing to the others", async () => {
    const { crew, children } = await startCrew();
    const clients = Array.from({ length: 4 }, () => fakeClient());
    for (const client of clients) crew.take(client);
    children[0]!.ends(null, "SIGKILL");
    children[1]!.tells({ t: "taken" });
    children[1]!.tells({ t: "taken" });
    expect(children[1]!.clients).toEqual([clients[1], clients[3], clients[2]].map((client) => client!.socket));
    expect(clients[0]!.isClosed()).toBe(true);
  });

  test("again and again ends all", async () => {
    const rig = await startCrew();
    let child = rig.children[0]!;
    for (let death = 1; death <= 5; death++) child = die(rig, rig.children.indexOf(child));
    child.ends(null, "SIGKILL");
    expect((await rig.crew.failed).message).toBe("worker 1 has died 6 times in a row: SIGKILL");
    expect(rig.clock.delaysMs).toEqual([]);
  });

  test("now and then does not", async () => {
    const rig = await startCrew();
    let child = rig.children[0]!;
    for (let death = 1; death <= 20; death++) {
      rig.clock.advance(30_000);
      child = die(rig, rig.children.indexOf(child));
      child.tells({ t: "serving" });
    }
    expect(rig.crew.members.map(({ worker }) => worker)).toEqual([1, 2]);
  });
});

describe("it is told to go away", () => {
  test("and has gone when all have", async () => {
    const { crew, children } = await startCrew();
    const drained = crew.drain(5_000);
    expect(children.map(({ told }) => told.at(-1))).toEqual(Array(2).fill({ t: "drain", delayMs: 5_000 }));
    const late = fakeClient();
    crew.take(late);
    expect(children[0]!.clients).toEqual([late.socket]);
    for (const child of children) child.ends(0);
    await drained;
    expect(crew.deaths).toBe(0);
  });

  test("and says so where one dies meanwhile, which is not replaced", async () => {
    const { crew, children, clock } = await startCrew();
    const drained = crew.drain(0);
    children[0]!.ends(null, "SIGKILL");
    children[1]!.ends(0);
    await expect(drained).rejects.toThrow("worker 1 has ended before its builds: SIGKILL");
    expect(clock.delaysMs).toEqual([]);
  });

  test("while one is about to be replaced, and does not wait for it", async () => {
    const { crew, children, clock } = await startCrew();
    children[0]!.ends(null, "SIGKILL");
    const stopped = crew.stop();
    children[1]!.ends(1);
    await stopped;
    expect(clock.delaysMs).toEqual([]);
    expect(children.length).toBe(2);
  });
});
