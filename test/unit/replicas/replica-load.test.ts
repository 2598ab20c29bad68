import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReplicaLoad } from "../../../src/replicas/replica-load.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** The load of a replica whose history is open, and how often it said that it changed. */
function openLoad() {
  const clock = new FakeClock();
  const heard = { changes: 0 };
  const load = new ReplicaLoad(clock, () => heard.changes++);
  load.historyAsked();
  relist(load);
  heard.changes = 0;
  return { clock, load, heard };
}

/** The daemon lists these builds, and no others. */
function relist(load: ReplicaLoad, ...refs: string[]): void {
  const listing = load.listingBegins();
  for (const ref of refs) load.listed(ref, 1);
  load.listingEnds(listing);
}

describe("builds that run", () => {
  test("those that we placed and those that history lists are one set", () => {
    const { load, heard } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    load.listed("theirs", 1);
    expect(load.running).toBe(2);
    load.ended("theirs", 1);
    expect(load.running).toBe(1);
    load.ended("ours", 1);
    end();
    expect(load.running).toBe(0);
    expect(heard.changes).toBe(5);
  });

  test("a build that history has ended runs until it has ended for us, too", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    load.ended("ours", 1);
    expect(load).toMatchObject({ running: 1, unconfirmed: 0 });
    end();
    expect(load.running).toBe(0);
    expect(clock.delaysMs).toEqual([]);
  });

  test("a build that has ended for us runs until history says so", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    end();
    clock.advance(29_999);
    expect(load.running).toBe(1);
    load.ended("ours", 1);
    expect(load.running).toBe(0);
    expect(clock.delaysMs).toEqual([]);
  });

  test("is overdue after 30 s, and runs on until a listing is without it", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    end();
    clock.advance(29_999);
    expect(load.hasOverdue).toBe(false);
    clock.advance(1);
    expect(load).toMatchObject({ hasOverdue: true, running: 1 });
    relist(load, "ours");
    expect(load).toMatchObject({ hasOverdue: false, running: 1 });
    relist(load);
    expect(load.running).toBe(0);
    expect(clock.delaysMs).toEqual([]);
  });

  test("a build whose start history tells after it has ended for us is overdue no later than that either", () => {
    const { clock, load } = openLoad();
    load.buildStarted("ours")();
    expect(load.running).toBe(0);
    clock.advance(1_000);
    load.listed("ours", 1);
    expect(load.running).toBe(1);
    clock.advance(29_000);
    expect(load.hasOverdue).toBe(true);
  });

  test("a start that is told after its end changes nothing", () => {
    const { load } = openLoad();
    load.ended("quick", 5);
    load.listed("quick", 5);
    expect(load.running).toBe(0);
    load.listed("quick", 6);
    expect(load.running).toBe(1);
  });

  test("a ref that is placed twice is one build until both have ended", () => {
    const { load } = openLoad();
    const ends = [load.buildStarted("ours"), load.buildStarted("ours")];
    load.listed("ours", 1);
    load.ended("ours", 1);
    ends[0]!();
    ends[0]!();
    expect(load.running).toBe(1);
    ends[1]!();
    expect(load.running).toBe(0);
  });

  test("a ref that is placed again soon after its end is not dropped with the earlier build", () => {
    const { clock, load } = openLoad();
    load.buildStarted("ours")();
    const end = load.buildStarted("ours");
    clock.advance(60_000);
    expect(load.running).toBe(1);
    end();
    expect(load.running).toBe(0);
  });

  test("an end that is told again without its time does not make an earlier start count", () => {
    const { load } = openLoad();
    load.ended("quick", 100);
    load.ended("quick", 0);
    load.listed("quick", 100);
    expect(load.running).toBe(0);
  });

  test("no more than 10,000 are taken from history; ours count all the same", () => {
    const { load } = openLoad();
    for (let build = 0; build < 10_005; build++) load.listed(`build-${build}`, 1);
    expect(load.running).toBe(10_000);
    load.buildStarted("ours");
    load.listed("ours", 1);
    expect(load.running).toBe(10_001);
    load.ended("build-0", 1);
    expect(load.running).toBe(10_000);
  });

  test("a ref of any length is told from others", () => {
    const { load } = openLoad();
    const long = "x".repeat(100_000);
    load.listed(`${long}1`, 1);
    load.listed(`${long}2`, 1);
    load.buildStarted(`${long}2`);
    expect(load.running).toBe(2);
  });
});

describe("builds that others cannot see yet", () => {
  test("are those of ours that history does not list, for a second", () => {
    const { clock, load } = openLoad();
    load.buildStarted("one");
    clock.advance(500);
    load.buildStarted("two");
    load.buildStarted("three");
    expect(load.unconfirmed).toBe(3);
    load.listed("three", 1);
    expect(load.unconfirmed).toBe(2);
    clock.advance(500);
    expect(load.unconfirmed).toBe(1);
    clock.advance(500);
    expect(load).toMatchObject({ running: 3, unconfirmed: 0 });
  });

  test("are none once they have ended", () => {
    const { clock, load } = openLoad();
    const ends = [load.buildStarted("one"), load.buildStarted("two")];
    load.ended("one", 1);
    ends[1]!();
    expect(load.unconfirmed).toBe(0);
    expect(clock.delaysMs).toEqual([30_000]);
  });

  test("are none where history is not followed, or no longer", () => {
    const clock = new FakeClock();
    const load = new ReplicaLoad(clock, () => {});
    load.buildStarted("one");
    expect(load.unconfirmed).toBe(0);
    load.historyAsked();
    load.buildStarted("two");
    expect(load.unconfirmed).toBe(1);
    load.historyLost();
    expect(load).toMatchObject({ running: 2, unconfirmed: 0 });
    expect(clock.delaysMs).toEqual([]);
  });
});

describe("a history that is lost", () => {
  test("is believed until it is told anew, and then what it no longer lists has ended", () => {
    const { clock, load } = openLoad();
    load.listed("still runs", 1);
    load.listed("ended meanwhile", 1);
    load.historyLost();
    clock.advance(9_999);
    expect(load.running).toBe(2);
    load.historyAsked();
    const listing = load.listingBegins();
    load.listed("still runs", 1);
    load.listed("began meanwhile", 2);
    expect(load.running).toBe(3);
    load.listingEnds(listing);
    expect(load.running).toBe(2);
    clock.advance(60_000);
    expect(load.running).toBe(2);
  });

  test("is believed for 10 s at most", () => {
    const { clock, load } = openLoad();
    load.listed("theirs", 1);
    load.buildStarted("ours");
    load.listed("ours", 1);
    load.historyLost();
    clock.advance(10_000);
    expect(load.running).toBe(1);
    expect(clock.delaysMs).toEqual([]);
  });

  test("of another daemon is forgotten with its ends, and nothing is left to wait for", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.buildStarted("ended for us")();
    load.listed("theirs", 1);
    load.ended("theirs too", 5);
    load.forgetHistory();
    expect(load).toMatchObject({ running: 1, unconfirmed: 0 });
    expect(clock.delaysMs).toEqual([]);
    load.listed("theirs too", 5);
    expect(load.running).toBe(2);
    end();
    expect(load.running).toBe(1);
  });
});

describe("a listing", () => {
  test("ends a build whose end was never told, and keeps one that begins meanwhile", () => {
    const { load } = openLoad();
    load.listed("phantom", 1);
    load.listed("runs", 1);
    const listing = load.listingBegins();
    load.listed("begins meanwhile", 2);
    load.listed("runs", 1);
    load.listingEnds(listing);
    expect(load.running).toBe(2);
    load.ended("begins meanwhile", 2);
    load.ended("runs", 1);
    expect(load.running).toBe(0);
  });

  test("does not bring back a build that ends meanwhile", () => {
    const { load } = openLoad();
    load.listed("ends meanwhile", 1);
    const listing = load.listingBegins();
    load.ended("ends meanwhile", 1);
    load.listed("ends meanwhile", 1);
    load.listingEnds(listing);
    expect(load.running).toBe(0);
  });
});

describe("the load is known", () => {
  test("once all that runs has been listed, until the history is lost", () => {
    const heard: boolean[] = [];
    const load: ReplicaLoad = new ReplicaLoad(new FakeClock(), () => heard.push(load.isKnown));
    expect(load.isKnown).toBe(false);
    load.historyAsked();
    const listing = load.listingBegins();
    expect(load.isKnown).toBe(false);
    load.listingEnds(listing);
    expect(load.isKnown).toBe(true);
    load.historyLost();
    expect(load.isKnown).toBe(false);
    load.listingEnds(load.listingBegins());
    expect(load.isKnown).toBe(false);
    expect(heard).toEqual([true, false]);
  });

  test("where there is no history, and not where another daemon is", () => {
    const load = new ReplicaLoad(new FakeClock(), () => {});
    load.historyMissing();
    expect(load.isKnown).toBe(true);
    load.forgetHistory();
    expect(load.isKnown).toBe(false);
  });
});

describe("time without a build", () => {
  test("is endless before the first, none during one, and counts from the end of the last", () => {
    const { clock, load } = openLoad();
    expect(load.idleMs).toBe(Number.POSITIVE_INFINITY);
    const end = load.buildStarted("ours");
    load.listed("theirs", 1);
    clock.advance(100);
    end();
    expect(load.idleMs).toBe(0);
    load.ended("theirs", 1);
    clock.advance(250);
    expect(load.idleMs).toBe(250);
  });
});

test("whatever happens in whatever order, counts are never negative and all is over in the end", () => {
  const ref = fc.constantFrom("a", "b", "c");
  const event = fc.oneof(
    fc.record({ t: fc.constantFrom("place", "listed", "ended"), ref }),
    fc.record({ t: fc.constant("end"), at: fc.nat(20) }),
    fc.record({ t: fc.constantFrom("ask", "list", "listed all", "lost", "forget", "missing") }),
    fc.record({ t: fc.constant("wait"), ms: fc.constantFrom(1, 999, 1_000, 10_000, 30_000) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const clock = new FakeClock();
      const load = new ReplicaLoad(clock, () => {});
      const ends: (() => void)[] = [];
      const placed: string[] = [];
      let createdAtMs = 0;
      let listing = load.listingBegins();
      for (const step of events) {
        if ("ref" in step && step.t === "place") {
          placed.push(step.ref);
          ends.push(load.buildStarted(step.ref));
        } else if ("ref" in step && step.t === "listed") load.listed(step.ref, ++createdAtMs);
        else if ("ref" in step) load.ended(step.ref, createdAtMs);
        else if ("at" in step) ends[step.at]?.();
        else if ("ms" in step) clock.advance(step.ms);
        else if (step.t === "ask") load.historyAsked();
        else if (step.t === "list") listing = load.listingBegins();
        else if (step.t === "listed all") load.listingEnds(listing);
        else if (step.t === "missing") load.historyMissing();
        else if (step.t === "lost") load.historyLost();
        else load.forgetHistory();
        expect(load.unconfirmed).toBeGreaterThanOrEqual(0);
        expect(load.running).toBeGreaterThanOrEqual(load.unconfirmed);
        expect(load.running).toBeLessThanOrEqual(3);
      }
      for (const end of ends) end();
      for (const build of ["a", "b", "c"]) load.ended(build, createdAtMs);
      expect(load).toMatchObject({ running: 0, unconfirmed: 0 });
      clock.advance(60_000);
      expect(clock.delaysMs).toEqual([]);
    }),
  );
});
