import fc from "fast-check";
import { expect, test } from "vitest";
import { type AskedBuild, PlacerRig } from "./placer-rig.ts";

const KEYS = ["x", "y", "z"];
const REPLICAS = ["a", "b", "c"];

/** What may happen to a gateway. `pick` chooses among the builds that wait or run. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("ask" as const), pick: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("end" as const), pick: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("abort" as const), pick: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("pass" as const), pick: fc.nat(12_000) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("eject" as const), pick: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("readmit" as const), pick: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("confirm late" as const), pick: fc.nat(2) }) },
);

/** A rig that many things happen to, and all builds that were asked for in it, in order. */
class EventfulRig extends PlacerRig {
  readonly builds: AskedBuild[] = [];
  readonly ended = new Set<AskedBuild>();

  get running(): AskedBuild[] {
    return this.builds.filter((build) => build.replicaId !== undefined && !this.ended.has(build));
  }

  get waiting(): AskedBuild[] {
    return this.builds.filter((build) => build.replicaId === undefined && !build.signal.signal.aborted);
  }

  end(build: AskedBuild): void {
    this.ended.add(build);
    this.memory.built(build.name.split(" ")[0]!, build.replicaId!, "");
    build.end();
  }

  async happen({ what, pick }: { what: string; pick: number }): Promise<void> {
    const replica = REPLICAS[pick % REPLICAS.length]!;
    if (what === "ask") {
      const key = KEYS[pick]!;
      this.builds.push(this.ask(`${key} ${this.builds.length}`, { key }));
    } else if (what === "end") {
      const running = this.running;
      if (running.length > 0) this.end(running[pick % running.length]!);
    } else if (what === "abort") {
      const waiting = this.waiting;
      waiting[pick % waiting.length]?.signal.abort();
    } else if (what === "pass") this.clock.advance(pick);
    else if (what === "eject") this.fleet.set(replica, { state: { t: "ejected", sinceMs: 0, reason: "killed" } });
    else if (what === "readmit") this.fleet.set(replica, { state: { t: "ready", sinceMs: 0 }, unconfirmedBuilds: 0 });
    else this.fleet.set(replica, { unconfirmedBuilds: 1 });
    if (pick % 3 > 0) await this.settled();
  }

  /** Let everything run to its end: no build may wait for ever once nothing stands in its way. */
  async runOut(): Promise<void> {
    for (const id of REPLICAS) this.fleet.set(id, { state: { t: "ready", sinceMs: 0 }, unconfirmedBuilds: 0 });
    for (let i = 0; i < 200 && this.waiting.length + this.running.length > 0; i++) {
      for (const build of this.running) this.end(build);
      await this.pass(6_000);
    }
  }
}

const steps = fc.array(step, { minLength: 1, maxLength: 60 });
const options = fc.record({
  maxBuilds: fc.integer({ min: 1, max: 3 }),
  perKey: fc.constantFrom(0, 0, 2),
  patienceMs: fc.constantFrom(0, 5_000),
});

test("no replica runs more than it may, no key more than its maximum, and a key keeps its order", async () => {
  await fc.assert(
    fc.asyncProperty(steps, options, async (what, limits) => {
      const rig = new EventfulRig(REPLICAS, limits);
      for (const each of what) {
        await rig.happen(each);
        for (const id of REPLICAS) expect(rig.fleet.running(id)).toBeLessThanOrEqual(limits.maxBuilds);
        for (const key of limits.perKey > 0 ? KEYS : []) {
          expect(rig.running.filter(({ name }) => name.startsWith(key)).length).toBeLessThanOrEqual(limits.perKey);
        }
      }
      await rig.runOut();
      for (const key of KEYS) {
        const order = rig.journal
          .filter((line) => line.startsWith(key))
          .map((line) => Number.parseInt(line.slice(2), 10));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      }
      rig.placer.stop();
    }),
    { numRuns: 150 },
  );
});

test("nobody starves: each build that is not abandoned is placed, and nothing stays behind", async () => {
  await fc.assert(
    fc.asyncProperty(steps, options, async (what, limits) => {
      const rig = new EventfulRig(REPLICAS, limits);
      for (const each of what) await rig.happen(each);
      await rig.runOut();
      for (const build of rig.builds) {
        expect(build.outcome).toBeDefined();
        expect(build.outcome!.t).toBe(build.replicaId === undefined ? "refused" : "placed");
        if (!build.signal.signal.aborted) expect(build.replicaId).toBeDefined();
      }
      await rig.pass(200);
      expect(rig.placer.census()).toEqual({ queued: 0, running: 0, oldestWaitMs: 0 });
      expect(rig.clock.delaysMs).toEqual([]);
      rig.placer.stop();
    }),
    { numRuns: 150 },
  );
});

test("whenever it is stopped, everything that waits is answered", async () => {
  await fc.assert(
    fc.asyncProperty(steps, options, async (what, limits) => {
      const rig = new EventfulRig(REPLICAS, limits);
      for (const each of what) await rig.happen(each);
      rig.placer.stop();
      await rig.settled();
      for (const build of rig.builds) expect(build.outcome).toBeDefined();
      expect(rig.clock.delaysMs).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test("keys that always have builds waiting run builds in the ratio of their weights", async () => {
  const weights = { x: 1, y: 2, z: 3 };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(11), { minLength: 60, maxLength: 60 }), async (ends) => {
      const rig = new EventfulRig(["a"], { maxBuilds: 12, weightOf: (key) => weights[key as "x"], queueBuilds: 1_000 });
      rig.fleet.set("a", { runningBuilds: 12 });
      for (const key of KEYS) for (let i = 0; i < 80; i++) rig.builds.push(rig.ask(`${key} ${i}`, { key }));
      rig.fleet.set("a", { runningBuilds: 0 });
      await rig.settled();
      for (const pick of ends) {
        rig.end(rig.running[pick]!);
        await rig.settled();
        const shares = KEYS.map((key) => rig.running.filter(({ name }) => name.startsWith(key)).length);
        expect(shares).toEqual([2, 4, 6]);
      }
      rig.placer.stop();
    }),
    { numRuns: 10 },
  );
});
