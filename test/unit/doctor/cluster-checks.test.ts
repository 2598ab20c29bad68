import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { type ClusterCheckOptions, checkCluster } from "../../../src/doctor/cluster-checks.ts";
import { openTokenAccess } from "../../../src/kubernetes/token-access.ts";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { endpointSlice } from "../../support/kubernetes/endpoint-slice.ts";
import { writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";
import { fastClock, resultsOf, textOf } from "./doctor-rig.ts";

const SERVICE = "service buildkit/replicas";
const PERMISSION = "permission: endpointslices in buildkit";

/** A cluster with a Service of two pods, and what a doctor makes of it. */
async function cluster() {
  const api = await ApiServerStandIn.start();
  const { url: server } = api;
  const files = await writeStandInFiles(api);
  onTestFinished(async () => {
    await api.close();
    await files.remove();
  });
  api.put("services", {
    metadata: { name: "replicas", namespace: "buildkit" },
    spec: { selector: { app: "buildkit" } },
  });
  const check = async (more: Partial<ClusterCheckOptions> = {}, clock = systemClock) => {
    const open = async () => {
      const access = await openTokenAccess({ server, ...files, namespace: "buildkit" });
      return { server: { access, clock }, namespace: "buildkit", close: () => access.close() };
    };
    const services = [{ name: "replicas", port: { t: "usual" } as const }];
    const options = { open, permissions: () => [], services, clock, deadlineMs: clock.nowMs() + 8_500, ...more };
    return checkCluster(options);
  };
  const slice = (...ready: readonly boolean[]) =>
    api.put(
      "endpointslices",
      endpointSlice({
        name: "replicas-1",
        service: "replicas",
        endpoints: ready.map((isReady, index) => ({
          address: `10.0.0.${index + 1}`,
          pod: `buildkit-${index}`,
          ready: isReady,
        })),
      }),
    );
  const pod = (name: string, status: object) =>
    api.put("pods", { metadata: { name, namespace: "buildkit", labels: { app: "buildkit" } }, status });
  return { api, check, slice, pod };
}

const RUNNING = {
  phase: "Running",
  containerStatuses: [{ name: "buildkitd" }],
  conditions: [{ type: "Ready", status: "True" }],
};

test("a cluster where all is well, with its clock", async () => {
  const { check, slice, pod } = await cluster();
  slice(true, true);
  pod("buildkit-0", RUNNING);
  const { findings, readings } = await check();
  expect(resultsOf(findings)).toEqual({
    "API server": "ok",
    [PERMISSION]: "ok",
    [SERVICE]: "ok",
    "pod buildkit-0": "ok",
  });
  expect(textOf(findings, "API server")).toMatch(
    /^127\.0\.0\.1:\d+ answers in \d+ ms to system:serviceaccount:buildkit:gateway$/,
  );
  expect(textOf(findings, PERMISSION)).toBe(
    "system:serviceaccount:buildkit:gateway may list, watch endpointslices.discovery.k8s.io in buildkit",
  );
  expect(textOf(findings, SERVICE)).toBe("2 endpoints ready, 0 not ready, 0 terminating");
  expect(readings).toEqual([{ source: "the API server", aheadMs: expect.any(Number) }]);
  expect(Math.abs(readings[0]!.aheadMs)).toBeLessThan(30_000);
});

test("a right that is missing comes with the role that gives it", async () => {
  const { api, check, slice } = await cluster();
  slice(true);
  api.forbidden.add("watch endpointslices").add("patch pods");
  const pods = { group: "", version: "v1", name: "pods", namespace: "buildkit" };
  const permissions = () => [{ resource: pods, verbs: ["patch"], purpose: "to keep their deletion cost" }];
  const { findings } = await check({ permissions });
  expect(textOf(findings, PERMISSION)).toBe(
    "system:serviceaccount:buildkit:gateway may not watch endpointslices.discovery.k8s.io in buildkit, to find replicas" +
      " | apply this role with kubectl apply -f -",
  );
  const outcome = findings.find(({ check }) => check === PERMISSION)!.outcome;
  expect(outcome.t === "failure" && outcome.manifest).toMatch(
    /kind: Role\n.*- endpointslices\n.*- list\n.*- watch\n.*name: gateway\n/s,
  );
  expect(resultsOf(findings)["permission: pods in buildkit"]).toBe("failure");
});

test("pods that are not well are told before those that are", async () => {
  const { check, slice, pod } = await cluster();
  slice(true, false);
  pod("buildkit-0", RUNNING);
  const terminated = { reason: "OOMKilled", exitCode: 137, finishedAt: "2026-11-25T11:00:00Z" };
  pod("buildkit-1", { ...RUNNING, containerStatuses: [{ name: "buildkitd", lastState: { terminated } }] });
  const { findings } = await check();
  expect(findings.slice(-2).map(({ check: name }) => name)).toEqual(["pod buildkit-1", "pod buildkit-0"]);
  expect(textOf(findings, "pod buildkit-1")).toMatch(/OOMKilled.* \| raise the memory limit/);
  expect(textOf(findings, SERVICE)).toBe(
    "1 endpoint ready, 1 not ready, 0 terminating | see the pods that are not ready",
  );
});

test("a Service that is not there, or has no endpoint, is a failure", async () => {
  const { check, slice } = await cluster();
  const absent = await check();
  expect(textOf(absent.findings, SERVICE)).toMatch(/^it has no EndpointSlice: there is no such Service \| /);
  slice(false);
  expect(textOf((await check()).findings, SERVICE)).toMatch(/^0 endpoints ready, 1 not ready, 0 terminating \| /);
});

test("pods that may not be looked at are skipped", async () => {
  const { api, check, slice } = await cluster();
  slice(true);
  api.forbidden.add("list pods");
  const { findings } = await check();
  expect(textOf(findings, "pods of buildkit/replicas")).toMatch(
    /^needs the right to get services and list pods in buildkit: 403/,
  );
  expect(resultsOf(findings)[SERVICE]).toBe("ok");
});

test("a server that does not know who asks, is not there, or hangs, is a failure, and the rest is skipped", async () => {
  const { api, check } = await cluster();
  api.tokens.clear();
  expect(textOf((await check()).findings, "API server")).toMatch(/401.* \| check --kubeconfig/);
  api.tokens.add("first-token");
  api.failNext("list", "hang");
  const hanging = await check({}, fastClock(4));
  expect(textOf(hanging.findings, "API server")).toMatch(/^no answer within 4s/);
  const { port } = api;
  await api.close();
  const { findings } = await check();
  expect(textOf(findings, "API server")).toMatch(/ECONNREFUSED/);
  expect(resultsOf(findings)).toEqual({ "API server": "failure", [PERMISSION]: "skipped", [SERVICE]: "skipped" });
  // It is closed once more when the test is over.
  await api.listen(port);
});

test("a server before 1.28 does not say who asks, and the role is made for the usual account", async () => {
  const { api, check, slice } = await cluster();
  slice(true);
  api.unknown.add("selfsubjectreviews");
  api.forbidden.add("list endpointslices");
  const { findings } = await check();
  const outcome = findings.find(({ check }) => check === PERMISSION)!.outcome;
  expect(outcome.seen).toMatch(/^this account may not list/);
  expect(outcome.t === "failure" && outcome.manifest).toContain("name: buildkit-gateway\n");
});

test("no way to a cluster is told in one line", async () => {
  const { check } = await cluster();
  const open = () => Promise.reject(new Error("kubernetes", { cause: new Error("no token in /run/token") }));
  const { findings } = await check({ open });
  expect(textOf(findings, "API server")).toMatch(/^kubernetes: no token in \/run\/token \| /);
});
