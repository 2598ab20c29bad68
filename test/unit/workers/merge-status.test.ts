import { describe, expect, test } from "vitest";
import type { GatewayStatus } from "../../../src/admin/gateway-status.ts";
import { mergeNotes, mergeStatus } from "../../../src/workers/merge-status.ts";

type Replica = GatewayStatus["pools"][number]["replicas"][number];

function replica(name: string, given: Partial<Replica> = {}): Replica {
  return { name, state: "ready", sinceMs: 1, running: 0, warm: { keys: [], count: 0 }, ...given };
}

function pool(given: Partial<GatewayStatus["pools"][number]>): GatewayStatus["pools"][number] {
  const replicas = given.replicas ?? [];
  const load = { queued: 0, running: 0, readyReplicas: replicas.length, maxBuilds: 8 };
  return {
    name: "default",
    ...load,
    discovery: [],
    replicaCount: replicas.length,
    replicas,
    waiting: [],
    groups: { clients: 1, calls: 2, waiting: 0, tokens: 3 },
    ...given,
  };
}

function status(given: Partial<GatewayStatus> = {}): GatewayStatus {
  const traffic = {
    connections: 1,
    calls: 2,
    accepted: 3,
    unauthenticated: 0,
    refused: 0,
    limitHits: { streams: 1, connections: 0 },
    receivedBytes: 10,
    sentBytes: 20,
  };
  return {
    version: "1.2.3",
    at: "2026-11-26T00:00:10.000Z",
    startedAt: "2026-11-26T00:00:00.000Z",
    isReady: true,
    traffic,
    pools: [],
    certificates: [],
    running: [],
    ended: [],
    failures: [],
    minutes: [],
    ...given,
  };
}

function merge(...statuses: readonly Partial<GatewayStatus>[]): GatewayStatus {
  const told = statuses.map((given, index) => ({ worker: index + 1, status: status(given) }));
  return mergeStatus([told[0]!, ...told.slice(1)]);
}

const build = (buildRef: string, endedAt: string) => ({
  pool: "default",
  buildRef,
  name: "github.com/acme/app",
  reason: "warm",
  waitedMs: 0,
  ranMs: 1,
  receivedBytes: 0,
  sentBytes: 0,
  outcome: "succeeded",
  endedAt,
});

describe("of several workers", () => {
  test("the state of one is its own", () => {
    const one = status({
      pools: [pool({ replicas: [replica("a")] })],
      ended: [build("r", "2026-11-26T00:00:01.000Z")],
    });
    expect(mergeStatus([{ worker: 1, status: one }])).toEqual(one);
  });

  test("what each moves is added up", () => {
    expect(merge({}, {}, {}).traffic).toEqual({
      connections: 3,
      calls: 6,
      accepted: 9,
      unauthenticated: 0,
      refused: 0,
      limitHits: { streams: 3, connections: 0 },
      receivedBytes: 30,
      sentBytes: 60,
    });
  });

  test("one is not ready, then none is, and it is said which", () => {
    expect(merge({}, { isReady: false, note: "draining" })).toMatchObject({
      isReady: false,
      note: "worker 2: draining",
    });
  });

  test("what waits is added up, what runs on the replicas is what the largest says", () => {
    const [one, other] = [pool({ queued: 2, running: 5 }), pool({ queued: 1, running: 6 })];
    expect(merge({ pools: [one] }, { pools: [other] }).pools).toMatchObject([{ queued: 3, running: 6 }]);
  });

  test("a replica is told once, by the one that thinks least of it, with the most builds and warm keys that any knows", () => {
    const warm = { keys: ["github.com/acme/app"], count: 1 };
    const one = pool({ replicas: [replica("a", { running: 1, warm }), replica("b")] });
    const other = pool({ replicas: [replica("a", { state: "ejected", reason: "gone away", running: 2 })] });
    expect(merge({ pools: [one] }, { pools: [other] }).pools[0]!.replicas).toEqual([
      replica("a", { state: "ejected", reason: "gone away", running: 2, warm }),
      replica("b"),
    ]);
  });

  test("of a way that replicas are found the one tells whose news is old", () => {
    const way = (state: "live" | "stale") => [{ source: "dns x", state }];
    const merged = merge({ pools: [pool({ discovery: way("live") })] }, { pools: [pool({ discovery: way("stale") })] });
    expect(merged.pools[0]!.discovery).toEqual(way("stale"));
  });

  test("builds that have ended are put together, the latest first, and only the latest 50", () => {
    const at = (second: number) => `2026-11-26T00:00:${String(second).padStart(2, "0")}.000Z`;
    const ofWorker = (worker: number) => ({
      ended: Array.from({ length: 30 }, (_, index) => build(`${worker}-${index}`, at(59 - 2 * index - worker))),
    });
    const { ended } = merge(ofWorker(0), ofWorker(1));
    expect(ended.slice(0, 4).map(({ buildRef }) => buildRef)).toEqual(["0-0", "1-0", "0-1", "1-1"]);
    expect(ended.length).toBe(50);
  });

  test("what was in a minute is added up, but for the longest wait", () => {
    const minute = (at: string, builds: number, waitMs: number) => ({
      at,
      builds,
      warm: 1,
      keyed: 1,
      failed: 0,
      waitMs,
    });
    const [early, late] = ["2026-11-26T00:00:00.000Z", "2026-11-26T00:01:00.000Z"];
    const merged = merge({ minutes: [minute(late, 2, 70)] }, { minutes: [minute(early, 1, 5), minute(late, 3, 50)] });
    expect(merged.minutes).toEqual([minute(early, 1, 5), { ...minute(late, 5, 70), warm: 2, keyed: 2 }]);
  });

  test("a certificate ends when the earliest ends that one of them has", () => {
    const certificate = (expiresAt: string) => [{ setting: "tls.cert", expiresAt }];
    const [early, late] = ["2026-12-01T00:00:00.000Z", "2027-12-01T00:00:00.000Z"];
    expect(merge({ certificates: certificate(late) }, { certificates: certificate(early) }).certificates).toEqual(
      certificate(early),
    );
  });
});

test.each([
  [[undefined, undefined], undefined],
  [["full", "full"], "full"],
  [[undefined, "full"], "worker 2: full"],
  [["draining", "full"], "worker 1: draining; worker 2: full"],
])("of what they say for people, %j, comes %j", (texts, merged) => {
  expect(mergeNotes(texts.map((text, index) => ({ worker: index + 1, text })))).toBe(merged);
});
