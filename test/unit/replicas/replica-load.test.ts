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
  load.historyOpened();
  return { clock, load, heard };
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

  test("but for 30 s at most", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    end();
    clock.advance(30_000);
    expect(load.running).toBe(0);
    expect(clock.delaysMs).toEqual([]);
  });

  test("a build whose start history tells after it has ended for us counts no longer than that either", () => {
    const { clock, load } = openLoad();
    load.buildStarted("ours")();
    expect(load.running).toBe(0);
    clock.advance(1_000);
    load.listed("ours", 1);
    expect(load.running).toBe(1);
    clock.advance(29_000);
    expect(load.running).toBe(0);
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
    clock.advance(30_000);
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
    load.historyOpened();
    load.listed("still runs", 1);
    load.listed("began meanwhile", 2);
    expect(load.running).toBe(3);
    clock.advance(1_000);
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

  test("does not keep a build of ours that ended meanwhile for ever", () => {
    const { clock, load } = openLoad();
    const end = load.buildStarted("ours");
    load.listed("ours", 1);
    load.historyLost();
    end();
    load.historyOpened();
    load.listed("ours", 1);
    clock.advance(30_000);
    expect(load.running).toBe(0);
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
    fc.record({ t: fc.constantFrom("ask", "open", "lost", "forget") }),
    fc.record({ t: fc.constant("wait"), ms: fc.constantFrom(1, 999, 1_000, 10_000, 30_000) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const clock = new FakeClock();
      const load = new ReplicaLoad(clock, () => {});
      const ends: (() => void)[] = [];
      const placed: string[] = [];
      let createdAtMs = 0;
      for (const step of events) {
        if ("ref" in step && step.t === "place") {
          placed.push(step.ref);
          ends.push(load.buildStarted(step.ref));
        } else if ("ref" in step && step.t === "listed") load.listed(step.ref, ++createdAtMs);
        else if ("ref" in step) load.ended(step.ref, createdAtMs);
        else if ("at" in step) ends[step.at]?.();
        else if ("ms" in step) clock.advance(step.ms);
        else if (step.t === "ask") load.historyAsked();
        else if (step.t === "open") load.historyOpened();
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
