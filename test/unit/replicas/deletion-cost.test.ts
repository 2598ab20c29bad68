import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cancel } from "../../../src/base/clock.ts";
import { deletionCost } from "../../../src/replicas/deletion-cost.ts";
import { DeletionCostKeeper } from "../../../src/replicas/deletion-cost-keeper.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import { tooManyRequests } from "../../support/kubernetes/status-bodies.ts";
import { WatchRig } from "../../support/kubernetes/watch-rig.ts";

const ANNOTATION = "controller.kubernetes.io/pod-deletion-cost";

function replica(id: string, more: Partial<Replica> = {}): Replica {
  return {
    id,
    address: { t: "tcp", host: "10.0.0.1", port: 1234 },
    state: { t: "ready", sinceMs: 0 },
    identity: "",
    runningBuilds: 0,
    unconfirmedBuilds: 0,
    ...more,
  };
}

describe("the cost", () => {
  test.each([
    [0, 0, 0],
    [0, 1, 1],
    [0, 2, 2],
    [0, 3, 2],
    [0, 4, 3],
    [0, 100_000, 17],
    [1, 0, 100],
    [3, 5, 303],
  ])("of %i builds and %i warm keys is %i", (runningBuilds, warmKeys, cost) => {
    expect(deletionCost(replica("a", { runningBuilds }), warmKeys)).toBe(cost);
  });

  test("of one build is more than that of all warmth, and all fit into 32 bits", () => {
    const busy = deletionCost(replica("a", { runningBuilds: 1 }), 0)!;
    expect(busy).toBeGreaterThan(deletionCost(replica("b"), Number.MAX_SAFE_INTEGER)!);
    const most = deletionCost(replica("a", { runningBuilds: Number.MAX_SAFE_INTEGER }), Number.MAX_SAFE_INTEGER)!;
    expect(most).toBeLessThan(2 ** 31);
  });

  test("of what an operator has taken out is the least, once it is idle", () => {
    const out = { isDrainedByOperator: true } as const;
    expect(deletionCost(replica("a", out), 9)).toBe(-1);
    expect(deletionCost(replica("a", { ...out, runningBuilds: 1 }), 0)).toBe(100);
  });

  test("is not known where it is not known what runs", () => {
    expect(deletionCost(replica("a", { loadUnknown: "its last check failed" }), 9)).toBeUndefined();
  });
});

describe("the annotation", () => {
  let rig: WatchRig;
  let stop: Cancel = () => {};
  let replicas: Replica[];
  let warmKeys: Record<string, number>;

  beforeEach(async () => {
    rig = await WatchRig.start();
    replicas = ["a", "b"].map((name) => {
      const { metadata } = rig.standIn.put("pods", { metadata: { name, namespace: "buildkit" } });
      return replica(name, { pod: { namespace: "buildkit", name, uid: metadata.uid! } });
    });
    warmKeys = {};
  });
  afterEach(async () => {
    stop();
    await rig.stop();
  });

  function keep(): void {
    const { server, log } = rig;
    stop = new DeletionCostKeeper({
      server,
      log,
      replicas: () => replicas,
      warmKeys: (id) => warmKeys[id] ?? 0,
    }).start();
  }

  const costs = () =>
    rig.standIn
      .store("pods")
      .all()
      .map(({ metadata }) => metadata.annotations?.[ANNOTATION]);

  /** The next round has been. */
  async function round(): Promise<void> {
    const before = rig.clock.waitsMs.length;
    await rig.until(() => rig.clock.waitsMs.length > before);
  }

  test("is written for each pod, and again only when it changes", async () => {
    warmKeys.b = 4;
    keep();
    await round();
    expect(costs()).toEqual(["0", "3"]);
    await round();
    expect(rig.count("patch")).toBe(2);
    replicas[0] = { ...replicas[0]!, runningBuilds: 2 };
    await round();
    expect(costs()).toEqual(["200", "3"]);
    expect(rig.count("patch")).toBe(3);
    expect(new Set(rig.clock.waitsMs)).toEqual(new Set([10_000]));
  });

  test("is not written again because another gateway has written something else", async () => {
    keep();
    await round();
    const { metadata } = rig.standIn.store("pods").find("buildkit", "a")!;
    rig.standIn.put("pods", { metadata: { ...metadata, annotations: { [ANNOTATION]: "7" } } });
    await round();
    expect(costs()).toEqual(["7", "0"]);
  });

  test("is not written to another pod of the name", async () => {
    rig.standIn.store("pods").remove("buildkit", "a");
    rig.standIn.put("pods", { metadata: { name: "a", namespace: "buildkit", uid: "another" } });
    keep();
    await round();
    expect(costs()).toEqual([undefined, "0"]);
    expect(rig.lines.filter(({ level }) => level >= 40)).toEqual([]);
  });

  test("that may not be written is told once, with the role to apply", async () => {
    rig.standIn.forbidden.add("patch pods");
    const refusals = () => rig.lines.filter(({ level }) => level >= 40);
    keep();
    await rig.until(() => refusals().length === 1);
    expect(refusals()[0]!.role).toContain("patch");
    await rig.until(() => rig.clock.delaysMs.includes(60_000));
    rig.clock.advance(60_000);
    await rig.until(() => rig.count("patch") === 2 && rig.clock.delaysMs.includes(60_000));
    expect(refusals()).toHaveLength(1);
  });

  test("waits for as long as a busy server asks", async () => {
    rig.standIn.failNext("patch", tooManyRequests(14));
    keep();
    await round();
    expect(rig.clock.waitsMs.at(-1)).toBe(14_000);
    await round();
    expect(costs()).toEqual(["0", "0"]);
  });
});
