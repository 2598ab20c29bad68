import { expect, test } from "vitest";
import { judgePod } from "../../../src/doctor/judge-pod.ts";

const NOW = new Date("2026-11-25T12:00:00Z");

/** A pod whose container stands like this. */
function pod(container: object, status: object = {}, metadata: object = {}) {
  return {
    metadata: { name: "buildkit-0", ...metadata },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ name: "buildkitd", restartCount: 1, ...container }],
      ...status,
    },
  };
}

const ended = (terminated: object) => pod({ lastState: { terminated } });

const UNREADY = { conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady" }] };

test.each<[string, ReturnType<typeof pod>, string, RegExp]>([
  ["is well", pod({}), "ok", /^ready$/],
  [
    "ran out of memory",
    ended({ reason: "OOMKilled", exitCode: 137, finishedAt: "2026-11-20T10:00:00Z" }),
    "warning",
    /^ready; buildkitd ended last with 137, OOMKilled at 2026-11-20T10:00:00Z \| raise the memory limit, or lower max-parallelism/,
  ],
  [
    "was told to end",
    ended({ reason: "Error", exitCode: 143, finishedAt: "2026-11-25T11:00:00Z" }),
    "warning",
    /ended last with 143, Error.* \| it was told to end \(SIGTERM\)/,
  ],
  ["was killed", ended({ reason: "Error", exitCode: 137 }), "warning", /\| it was killed \(SIGKILL\)/],
  [
    "failed",
    ended({ reason: "Error", exitCode: 1, finishedAt: "2026-11-25T11:00:00Z" }),
    "warning",
    /with 1, Error.*\| see kubectl logs --previous/,
  ],
  [
    "failed long ago",
    ended({ reason: "Error", exitCode: 1, finishedAt: "2026-11-20T11:00:00Z" }),
    "ok",
    /^ready; buildkitd ended last with 1, Error/,
  ],
  ["ended by itself", ended({ reason: "Completed", exitCode: 0 }), "ok", /ended last with 0, Completed/],
  [
    "crashes again and again",
    pod(
      {
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 5m0s" } },
        lastState: { terminated: { reason: "OOMKilled", exitCode: 137 } },
        restartCount: 7,
      },
      UNREADY,
    ),
    "failure",
    /^buildkitd waits: CrashLoopBackOff \(back-off 5m0s\), 7 restarts; .*OOMKilled \| raise the memory limit/,
  ],
  [
    "cannot pull its image",
    pod({ state: { waiting: { reason: "ImagePullBackOff" } } }, UNREADY),
    "failure",
    /ImagePullBackOff.*\| check the image's name/,
  ],
  [
    "is starting",
    pod({ state: { waiting: { reason: "ContainerCreating" } } }, { ...UNREADY, phase: "Pending" }),
    "warning",
    /^not ready: ContainersNotReady \| /,
  ],
  [
    "is not scheduled",
    pod(
      {},
      { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes: memory" }] },
    ),
    "failure",
    /^is not scheduled: 0\/3 nodes: memory \| make room/,
  ],
  [
    "was evicted",
    pod({}, { phase: "Failed", reason: "Evicted", message: "ephemeral-storage" }),
    "failure",
    /^Failed: Evicted ephemeral-storage \| .*ephemeral-storage$/,
  ],
  ["is being deleted", pod({}, UNREADY, { deletionTimestamp: "2026-11-25T11:59:00Z" }), "ok", /^is being deleted/],
])("a pod that %s", (_what, object, result, told) => {
  const outcome = judgePod(object, NOW);
  expect(outcome.t).toBe(result);
  expect(`${outcome.seen}${"fix" in outcome ? ` | ${outcome.fix}` : ""}`).toMatch(told);
});

test.each([
  ["no status", {}],
  ["a status of another type", { status: "Running" }],
  ["lists that are none", { status: { containerStatuses: {}, conditions: 7, phase: [] } }],
  [
    "entries of another type",
    { status: { phase: "Running", containerStatuses: [null, 1, { state: "x", lastState: [] }] } },
  ],
  ["100,000 containers", { status: { containerStatuses: Array(100_000).fill({ name: "x".repeat(1_000) }) } }],
])("a pod with %s is judged without a throw", (_what, more) => {
  expect(judgePod({ metadata: { name: "odd" }, ...more }, NOW).seen.length).toBeLessThan(10_000);
});
