import { expect, test } from "vitest";
import { FrozenWatch } from "../../../src/dataplane/frozen-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function rig(afterMs = 30_000) {
  const clock = new FakeClock();
  const seen: string[] = [];
  const watched = {
    reason: "refused" as string | undefined,
    whyUnwell: () => watched.reason,
    openStreams: 1,
    reads: 0,
    isReadPaused: false,
    ping: () => void seen.push(`PING at ${clock.nowMs() / 1_000}`),
    frozen: (reason: string) => void seen.push(reason),
  };
  return { clock, seen, watched, watch: new FrozenWatch(watched, clock, afterMs) };
}

test("a replica that flaps gets two PINGs in quick succession, and then one in five minutes", () => {
  const { clock, seen, watched, watch } = rig();
  for (let minute = 0; minute < 12; minute++) {
    watched.reason = "refused";
    watch.suspect();
    watched.reads++;
    clock.advance(30_000);
    watched.reason = undefined;
    clock.advance(30_000);
  }
  expect(seen).toEqual(["PING at 0", "PING at 60", "PING at 120", "PING at 430"]);
});

test("one that stays out and answers is asked again after five minutes, by itself", () => {
  const { clock, seen, watched, watch } = rig();
  watch.suspect();
  watched.reads++;
  clock.advance(1_000_000);
  expect(seen).toEqual(["PING at 0", "PING at 340", "silent for 30s (health.frozenAfter), and out: refused"]);
});

test("one without calls, or that is well, is not asked", () => {
  const { clock, seen, watched, watch } = rig();
  watched.openStreams = 0;
  watch.suspect();
  watched.openStreams = 1;
  watched.reason = undefined;
  watch.suspect();
  clock.advance(1_000_000);
  expect(seen).toEqual([]);
});

test("several reports are one question", () => {
  const { clock, seen, watch } = rig();
  for (let report = 0; report < 5; report++) {
    watch.suspect();
    clock.advance(1_000);
  }
  expect(seen).toEqual(["PING at 0"]);
});

test("a connection that has ended is watched no more", () => {
  const { clock, watch } = rig();
  watch.suspect();
  watch.stop();
  watch.stop();
  expect(clock.delaysMs).toEqual([]);
});
