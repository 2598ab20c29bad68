import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { ClusterPods } from "../../../src/identity/pod-directory.ts";
import { WatchRig } from "../../support/kubernetes/watch-rig.ts";

const CREATED = "2026-11-25T08:00:00Z";

function pod(name: string, podIP: string, creationTimestamp = CREATED) {
  return {
    metadata: {
      name,
      namespace: "arc",
      creationTimestamp,
      labels: { "actions.github.com/scale-set-name": "linux" },
    },
    spec: { containers: [{ name: "runner", image: "runner" }] },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  };
}

function runner(name: string, repository: string) {
  return {
    metadata: { name, namespace: "arc" },
    spec: { githubConfigUrl: "https://github.com/acme" },
    status: { jobRepositoryName: repository, workflowRunId: 42 },
  };
}

async function follow(prepare: (rig: WatchRig) => void = () => {}) {
  const rig = await WatchRig.start();
  prepare(rig);
  const pods = new ClusterPods({
    server: rig.server,
    namespaces: ["arc"],
    labels: ["actions.github.com/scale-set-name"],
    withRunners: true,
    log: silentLog(),
  });
  onTestFinished(() => pods.stop());
  /** Resolves once `look` finds what it looks for. */
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      rig.clock.advance(50);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  return { rig, pods, until };
}

test("a pod is found by its address in any spelling and by its name, with the job that runs in it", async () => {
  const { pods, until } = await follow(({ standIn }) => {
    standIn.put("pods", pod("runner-1", "10.0.0.7"));
    standIn.put("pods", pod("idle", "fd00::8"));
    standIn.put("ephemeralrunners", runner("runner-1", "acme/app"));
  });
  const known = await until(() => {
    const found = pods.at("10.0.0.7");
    return found?.repository === undefined ? undefined : found;
  });
  expect(known).toEqual({
    namespace: "arc",
    pod: "runner-1",
    workload: "linux",
    repository: "github.com/acme/app",
    runId: "42",
  });
  expect(pods.at("[::ffff:10.0.0.7]")).toEqual(known);
  expect(pods.named("arc", "runner-1")).toEqual(known);
  expect([
    pods.hasRunner("arc", "runner-1"),
    pods.hasRunner("arc", "idle"),
    pods.hasRunner("other", "runner-1"),
  ]).toEqual([true, false, false]);
  expect(pods.at("[fd00::8]")).toEqual({ namespace: "arc", pod: "idle", workload: "linux" });
  expect([pods.at("10.0.0.9"), pods.named("arc", "nobody"), pods.named("other", "runner-1")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("an address that goes from one pod to the next is the younger one's, and changes are followed", async () => {
  const { rig, pods, until } = await follow(({ standIn }) => {
    standIn.put("pods", pod("young", "10.0.0.7", "2026-11-25T09:00:00Z"));
    standIn.put("pods", pod("old", "10.0.0.7"));
  });
  expect((await until(() => pods.at("10.0.0.7"))).pod).toBe("young");
  rig.standIn.store("pods").remove("arc", "young");
  await until(() => (pods.at("10.0.0.7")?.pod === "old" ? true : undefined));
  rig.standIn.put("ephemeralrunners", runner("old", "acme/next"));
  await until(() => (pods.at("10.0.0.7")?.repository === "github.com/acme/next" ? true : undefined));
});

test("without actions-runner-controller pods are known all the same", async () => {
  const { pods, until } = await follow(({ standIn }) => {
    standIn.unknown.add("ephemeralrunners");
    standIn.put("pods", pod("runner-1", "10.0.0.7"));
  });
  expect(await until(() => pods.at("10.0.0.7"))).toEqual({ namespace: "arc", pod: "runner-1", workload: "linux" });
});

test("who builds is not known until pods and runners have been listed, or could not be", async () => {
  const { rig, pods, until } = await follow(({ standIn }) => {
    standIn.put("pods", pod("runner-1", "10.0.0.7"));
    standIn.forbidden.add("list ephemeralrunners");
    standIn.failNext("list", "hang");
    standIn.failNext("list", "hang");
  });
  await until(() => (rig.standIn.requests.length >= 2 ? true : undefined));
  expect(pods.isSyncing).toBe(true);
  // Two requests without an answer: a server that says nothing holds nobody up for long.
  await until(() => (pods.isSyncing ? undefined : true));
  expect((await until(() => pods.at("10.0.0.7"))).pod).toBe("runner-1");
  expect(pods.isSyncing).toBe(false);
});
