import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endpoint, FleetUnderTest, refusingReplica, startFleet, startReplica } from "../../support/fleet-under-test.ts";

const DRAINED = "drained by an operator";
const TERMINATING = "discovery says that it is terminating";

describe("a replica that an operator drains", () => {
  test("takes no build from then on, and does again once that is undone and it was checked", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    expect(lab.fleet.drain("a")).toBe(true);
    expect(lab.fleet.drain("a")).toBe(true);
    expect(lab.fleet.describe()).toBe(`a: draining (${DRAINED})`);
    await lab.nextCheck();
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    replica.calls.length = 0;
    expect(lab.fleet.undrain("a")).toBe(true);
    expect(lab.fleet.replica("a")?.state.t).toBe("draining");
    await lab.reaches("a", "ready");
    expect(lab.clock.nowMs()).toBe(5_000);
    expect(replica.calls).toContain("/grpc.health.v1.Health/Check");
  });

  test("keeps its running builds, and is idle when they have ended", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    await lab.fleet.ready();
    expect(lab.fleet.idleMs("a")).toBe(Number.POSITIVE_INFINITY);
    const end = lab.fleet.buildStarted("a", "ours");
    lab.fleet.drain("a");
    expect(lab.fleet.idleMs("a")).toBe(0);
    end();
    lab.clock.advance(10);
    expect(lab.fleet.idleMs("a")).toBe(10);
  });

  test("may be so before it has answered for the first time", async () => {
    const lab = startFleet([endpoint("a", await startReplica())]);
    lab.fleet.drain("a");
    expect(lab.fleet.replica("a")?.state.t).toBe("connecting");
    await lab.reaches("a", "draining");
    expect(lab.reason("a")).toBe(DRAINED);
  });

  test("stays so through an ejection and another address", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.drain("a");
    lab.fleet.reportFailure("a", "connect refused");
    expect(lab.fleet.replica("a")?.state.t).toBe("ejected");
    lab.clock.advance(0);
    await lab.reaches("a", "draining");
    lab.report(endpoint("a", await startReplica()));
    expect(lab.fleet.replica("a")?.state.t).toBe("connecting");
    await lab.reaches("a", "draining");
    expect(lab.reason("a")).toBe(DRAINED);
  });

  test("is known as terminating when discovery says so, and stays so when the operator's word is undone", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.drain("a");
    lab.report(endpoint("a", replica, { isTerminating: true }));
    expect(lab.reason("a")).toBe(TERMINATING);
    lab.fleet.undrain("a");
    await lab.nextCheck();
    expect(lab.reason("a")).toBe(TERMINATING);
    lab.fleet.drain("a");
    lab.report(endpoint("a", replica));
    await lab.becomes("a", ({ state }) => state.t === "draining" && state.reason === DRAINED);
  });

  test("is one like any other when it has been gone", async () => {
    const replica = await startReplica();
    const lab = startFleet([endpoint("a", replica)]);
    await lab.fleet.ready();
    lab.fleet.drain("a");
    lab.fleet.buildStarted("a", "keeps it in the list");
    lab.report();
    expect([lab.fleet.drain("a"), lab.fleet.undrain("a")]).toEqual([false, false]);
    lab.report(endpoint("a", replica));
    await lab.reaches("a", "ready");
  });

  test("must be known", async () => {
    const lab = startFleet([]);
    expect([lab.fleet.drain("a"), lab.fleet.undrain("a"), lab.fleet.idleMs("a")]).toEqual([false, false, undefined]);
  });
});

test("whatever is said of a replica in whatever order, it takes builds only when nobody wants it to drain", async () => {
  const replica = await startReplica();
  const moved = await startReplica();
  const { address: refusing } = await refusingReplica();
  const step = fc.constantFrom(
    "drain",
    "undrain",
    "terminating",
    "serving",
    "moved",
    "gone",
    "failure",
    "lost",
    "goaway",
    "time",
    "answers",
  );
  const run = async (lab: FleetUnderTest, steps: readonly string[]) => {
    let isDrained = false;
    let isTerminating = false;
    let isGone = false;
    let { address } = replica;
    const report = () => {
      if (isGone) lab.report();
      else lab.report(endpoint("a", { address }, { isTerminating }));
    };
    const wanted = () => (isTerminating ? TERMINATING : isDrained ? DRAINED : undefined);
    const cancel = lab.fleet.onChange(({ state }) => {
      if (state.t === "ready") expect(wanted()).toBeUndefined();
    });
    for (const what of steps) {
      if (what === "drain") isDrained = lab.fleet.drain("a");
      else if (what === "undrain") {
        isDrained = false;
        lab.fleet.undrain("a");
      } else if (what === "failure") lab.fleet.reportFailure("a", "connect refused");
      else if (what === "lost") lab.fleet.reportLost("a", "connection reset");
      else if (what === "goaway") lab.fleet.reportDraining("a", "it said GOAWAY");
      else if (what === "time") lab.clock.advance(2_000);
      else if (what === "answers") await new Promise((resolve) => setImmediate(resolve));
      else {
        if (what === "gone") [isGone, isDrained] = [true, false];
        else if (what === "terminating") [isGone, isTerminating] = [false, true];
        else if (what === "serving") [isGone, isTerminating] = [false, false];
        else address = address === replica.address ? refusing : moved.address;
        report();
      }
    }
    isGone = false;
    address = moved.address;
    report();
    lab.clock.advance(60_000);
    const isSettled = () => lab.becomes("a", ({ state }) => state.t === (wanted() ? "draining" : "ready"));
    await isSettled();
    expect(lab.reason("a")).toBe(wanted());
    cancel();
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const lab = new FleetUnderTest([endpoint("a", replica)]);
      try {
        await run(lab, steps);
      } finally {
        lab.fleet.stop();
      }
    }),
    { numRuns: 20 },
  );
});
