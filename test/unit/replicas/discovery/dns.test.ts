import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import type { Cancel } from "../../../../src/base/clock.ts";
import { DnsDiscovery, type DnsResolver } from "../../../../src/replicas/discovery/dns.ts";
import type { Endpoint } from "../../../../src/replicas/replica.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

type Answer<T> = T[] | { code: string };

const cleanups: Cancel[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A name whose records a test changes, followed by a discovery. */
function follow(port?: number) {
  const answers: { a: Answer<string>; aaaa: Answer<string>; srv: Answer<{ name: string; port: number }> } = {
    a: { code: "ENODATA" },
    aaaa: { code: "ENODATA" },
    srv: { code: "ENODATA" },
  };
  const give = async <T>(answer: Answer<T>) => {
    if (!Array.isArray(answer)) throw Object.assign(new Error("look-up failed"), answer);
    return answer;
  };
  const resolver: DnsResolver = {
    resolve4: () => give(answers.a),
    resolve6: () => give(answers.aaaa),
    resolveSrv: () => give(answers.srv),
  };
  const logged: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => logged.push(JSON.parse(line).msg) });
  const clock = new FakeClock();
  const reports: (readonly Endpoint[])[] = [];
  const discovery = new DnsDiscovery({ name: "replicas", ...(port && { port }), clock, log, resolver });
  const statuses: (string | undefined)[] = [];
  return {
    answers,
    discovery,
    /** Reason of each status that was told of. */
    statuses,
    logged,
    /** Ids of each report so far. */
    ids: () => reports.map((endpoints) => endpoints.map(({ id }) => id)),
    last: () => reports.at(-1),
    async start() {
      const waited = clock.nextTimer();
      const onStatus = () => statuses.push(discovery.status()[0]!.reason);
      cleanups.push(discovery.start((endpoints) => reports.push(endpoints), onStatus));
      await waited;
    },
    async refresh() {
      const waited = clock.nextTimer();
      clock.advance(5_000);
      await waited;
    },
    stop: () => cleanups.pop()!(),
    clock,
  };
}

describe("a name with a port", () => {
  test("stands for all its IPv4 and IPv6 addresses", async () => {
    const name = follow(1234);
    name.answers.a = ["10.0.0.2", "10.0.0.1"];
    name.answers.aaaa = ["fd00::1"];
    await name.start();
    expect(name.ids()).toEqual([["10.0.0.1:1234", "10.0.0.2:1234", "[fd00::1]:1234"]]);
    expect(name.last()![2]).toEqual({
      id: "[fd00::1]:1234",
      address: { t: "tcp", host: "fd00::1", port: 1234 },
      isTerminating: false,
    });
  });

  test("is looked up again, and only changes are reported", async () => {
    const name = follow(1);
    name.answers.a = ["10.0.0.1"];
    await name.start();
    await name.refresh();
    name.answers.a = ["10.0.0.2"];
    await name.refresh();
    expect(name.ids()).toEqual([["10.0.0.1:1"], ["10.0.0.2:1"]]);
  });

  test("keeps its last answer when a look-up fails, and says so once", async () => {
    const name = follow(1);
    name.answers.a = ["10.0.0.1"];
    await name.start();
    name.answers.a = { code: "ESERVFAIL" };
    await name.refresh();
    name.answers.a = [];
    await name.refresh();
    name.answers.a = ["10.0.0.1"];
    await name.refresh();
    expect(name.ids()).toEqual([["10.0.0.1:1"]]);
    expect(name.logged).toEqual(["replica look-up failed, keeping the last answer", "replica look-up works again"]);
  });

  test("keeps one family's addresses while only the other's can be looked up", async () => {
    const name = follow(1);
    name.answers.a = ["10.0.0.1"];
    name.answers.aaaa = ["fd00::1"];
    await name.start();
    name.answers.a = { code: "ETIMEOUT" };
    name.answers.aaaa = ["fd00::2"];
    await name.refresh();
    name.answers.a = { code: "ENODATA" };
    await name.refresh();
    expect(name.ids()).toEqual([["10.0.0.1:1", "[fd00::1]:1"], ["10.0.0.1:1", "[fd00::2]:1"], ["[fd00::2]:1"]]);
  });

  test("tells how well it is known", async () => {
    const name = follow(1234);
    const source = "DNS look-up of replicas";
    expect(name.discovery.status()).toEqual([{ source, state: "syncing" }]);
    await name.start();
    expect(name.discovery.status()).toEqual([{ source, state: "stale", ageMs: 0, reason: "ENODATA" }]);
    name.answers.a = ["10.0.0.1"];
    await name.refresh();
    expect(name.discovery.status()).toEqual([{ source, state: "live", ageMs: 0 }]);
    name.answers.a = { code: "ESERVFAIL" };
    await name.refresh();
    expect(name.discovery.status()).toEqual([{ source, state: "stale", ageMs: 5_000, reason: "ESERVFAIL" }]);
    expect(name.statuses).toEqual(["ENODATA", undefined, "ESERVFAIL"]);
  });

  test("knows nothing while nobody can be asked", async () => {
    const name = follow(1234);
    name.answers.a = { code: "ESERVFAIL" };
    await name.start();
    expect(name.discovery.status()).toEqual([
      { source: "DNS look-up of replicas", state: "stale", reason: "ESERVFAIL" },
    ]);
  });

  test("is not looked up any more after the end", async () => {
    const name = follow(1);
    await name.start();
    name.stop();
    expect(name.clock.delaysMs).toEqual([]);
  });
});

test("a name without a port stands for the targets of its SRV records", async () => {
  const name = follow();
  name.answers.srv = [
    { name: "b.replicas.", port: 1 },
    { name: "a.replicas", port: 2 },
  ];
  await name.start();
  expect(name.ids()).toEqual([["a.replicas:2", "b.replicas:1"]]);
});
