import { describe, expect, test } from "vitest";
import type { BuildHistoryEvent } from "../../../src/buildkit/wire-contracts.ts";
import {
  endpoint,
  type FleetUnderTest,
  refusingReplica,
  startFleet,
  startReplica,
} from "../../support/fleet-under-test.ts";

const theirs: BuildHistoryEvent = { type: "STARTED", record: { Ref: "theirs", CreatedAt: { seconds: 1, nanos: 0 } } };

/** Let time pass from timer to timer until it is so. */
async function until(lab: FleetUnderTest, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    lab.clock.advance(lab.clock.delaysMs[0] ?? 0);
    await new Promise(setImmediate);
  }
}

describe("a replica that discovery no longer reports", () => {
  test("is followed until the builds of others have ended", async () => {
    const replica = await startReplica({ history: [theirs] });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.report();
    expect(lab.fleet.replicas()).toMatchObject([{ id: "a", state: { t: "gone" }, runningBuilds: 1 }]);
    for (let check = 0; check < 20; check++) await lab.nextCheck();
    expect(lab.fleet.replica("a")).toMatchObject({ state: { t: "gone" }, runningBuilds: 1 });
    replica.behaviour.history = [];
    replica.tell({ ...theirs, type: "COMPLETE" });
    await lab.runs("a", 0);
    await until(lab, () => lab.fleet.replica("a") === undefined);
    expect(lab.clock.delaysMs).toEqual([]);
    await expect.poll(() => replica.followers).toBe(0);
  });

  test("is forgotten at once where it is known to run nothing", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    await lab.fleet.ready();
    lab.report();
    expect(lab.fleet.replicas()).toEqual([]);
    expect(lab.clock.delaysMs).toEqual([]);
  });

  test("is asked what runs there where that is not known yet", async () => {
    const replica = await startReplica({ history: [theirs] });
    const lab = startFleet([endpoint("a", replica)]);
    lab.report();
    expect(lab.fleet.replica("a")?.loadUnknown).toBe("its history has not been read yet");
    await lab.runs("a", 1);
  });

  test("is forgotten once it has refused connections for ten seconds", async () => {
    const replica = await startReplica({ history: [theirs] });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.report();
    replica.kill();
    await lab.becomes("a", ({ loadUnknown }) => loadUnknown !== undefined);
    expect(lab.fleet.replica("a")?.runningBuilds).toBe(1);
    await until(lab, () => lab.fleet.replica("a") === undefined);
    expect(lab.clock.nowMs()).toBeGreaterThanOrEqual(10_000);
    expect(lab.clock.delaysMs).toEqual([]);
  });

  test("is given up after a minute of silence, not before", async () => {
    const replica = await startReplica({ history: [theirs] });
    const lab = startFleet([endpoint("a", replica)], { timeoutMs: 50 });
    await lab.fleet.ready();
    replica.behaviour.isSilent = true;
    lab.report();
    await until(lab, () => lab.clock.nowMs() >= 55_000);
    expect(lab.fleet.replica("a")?.loadUnknown).toBe("its last check failed");
    await until(lab, () => lab.fleet.replica("a") === undefined);
    expect(lab.clock.delaysMs).toEqual([]);
  });

  test("is ended with the fleet", async () => {
    const replica = await startReplica({ history: [theirs] });
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.report();
    lab.fleet.stop();
    expect(lab.clock.delaysMs).toEqual([]);
    await expect.poll(() => replica.followers).toBe(0);
  });

  test("is not followed on behind a thousand that went later", async () => {
    const { address } = await refusingReplica();
    const lab = startFleet(Array.from({ length: 1_001 }, (_, index) => endpoint(`r-${index}`, { address })));
    lab.report();
    expect(lab.fleet.replicas()).toHaveLength(1_000);
    expect(lab.fleet.replica("r-0")).toBeUndefined();
  });
});

test("where nothing listens for ten seconds no build runs", async () => {
  const lab = startFleet([endpoint("a", await refusingReplica())]);
  await lab.reaches("a", "ejected");
  expect(lab.fleet.replica("a")?.loadUnknown).toContain("ECONNREFUSED");
  while (lab.clock.nowMs() < 10_000) await lab.nextCheck();
  await lab.becomes("a", ({ loadUnknown }) => loadUnknown === undefined);
});
