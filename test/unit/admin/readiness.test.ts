import { expect, test } from "vitest";
import { readinessOf } from "../../../src/admin/readiness.ts";

const FREE = { name: "free", hasRoom: true, queued: 0, queueBuilds: 10 };
const WAITING = { name: "waiting", hasRoom: false, queued: 3, queueBuilds: 10 };
const UNTOLD = { ...WAITING, name: "untold", untold: "no replica is known: nobody has said" };
const FULL = { name: "full", hasRoom: false, queued: 10, queueBuilds: 10 };

test.each([
  [[FREE], { t: "ready" }],
  [[WAITING], { t: "ready", note: "no replica takes a build now, builds wait: 3 in the queue" }],
  [[FULL], { t: "not_ready", reason: "queue full: 10 builds waiting (queue.builds)" }],
  [
    [{ ...FULL, queued: 0, queueBuilds: 0 }],
    { t: "not_ready", reason: "no replica takes a build now, and none may wait (queue.builds is 0)" },
  ],
  [
    [FREE, { ...FULL, queued: 0, queueBuilds: 0 }],
    { t: "ready", note: "full: no replica takes a build now, and none may wait (queue.builds is 0)" },
  ],
  [[{ ...FULL, hasRoom: true }], { t: "ready" }],
  [[UNTOLD], { t: "not_ready", reason: "no replica is known: nobody has said" }],
  [[FREE, UNTOLD], { t: "ready", note: "untold: no replica is known: nobody has said" }],
  [[FREE, WAITING], { t: "ready", note: "waiting: no replica takes a build now, builds wait: 3 in the queue" }],
  [[FREE, FULL], { t: "ready", note: "full: queue full: 10 builds waiting (queue.builds)" }],
  [
    [FULL, { ...FULL, name: "too" }],
    {
      t: "not_ready",
      reason: "full: queue full: 10 builds waiting (queue.builds); too: queue full: 10 builds waiting (queue.builds)",
    },
  ],
] as const)("pools %j", (pools, readiness) => {
  expect(readinessOf(false, pools)).toEqual(readiness);
});

test("draining is not ready, whatever has room", () => {
  expect(readinessOf(true, [FREE])).toEqual({ t: "not_ready", reason: "draining" });
});

test("a gateway that does not know yet who builds is not ready, whatever has room", () => {
  expect(readinessOf(false, [FREE], true)).toEqual({
    t: "not_ready",
    reason: "the pods that build have not been listed yet (identity.pods)",
  });
});
