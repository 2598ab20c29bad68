import { afterEach, beforeEach, expect, test } from "vitest";
import type { Cancel } from "../../../../src/base/clock.ts";
import { describeFleet } from "../../../../src/replicas/describe-fleet.ts";
import { KubernetesDiscovery } from "../../../../src/replicas/discovery/kubernetes.ts";
import type { Endpoint } from "../../../../src/replicas/replica.ts";
import { endpointSlice, type SliceEndpoint, type SliceOptions } from "../../../support/kubernetes/endpoint-slice.ts";
import { WatchRig } from "../../../support/kubernetes/watch-rig.ts";

let rig: WatchRig;
let stop: Cancel = () => {};
let discovery: KubernetesDiscovery;
let reports: (readonly Endpoint[])[];
let statusChanges: number;

beforeEach(async () => {
  rig = await WatchRig.start();
  reports = [];
  statusChanges = 0;
});
afterEach(async () => {
  stop();
  await rig.stop();
});

function follow(...names: string[]): void {
  const services = names.map((name) => ({ namespace: "buildkit", name, port: { t: "usual" } as const }));
  discovery = new KubernetesDiscovery({ server: rig.server, services, log: rig.log });
  stop = discovery.start(
    (endpoints) => reports.push(endpoints),
    () => statusChanges++,
  );
}

function put(name: string, endpoints: readonly SliceEndpoint[], more: Partial<SliceOptions> = {}): void {
  rig.standIn.put("endpointslices", endpointSlice({ name, service: "replicas", endpoints, ...more }));
}

const idsOf = (report: readonly Endpoint[] = []) =>
  report.map(({ id, isTerminating }) => id + (isTerminating ? "!" : "")).join();
const untilIds = (ids: string) => rig.until(() => reports.length > 0 && idsOf(reports.at(-1)) === ids);

test("follows the pods behind a service as they come, fall ill, terminate and go", async () => {
  put("one", [{ address: "10.0.0.1", pod: "a", nodeName: "node-1", zone: "eu-1a" }]);
  put("foreign", [{ address: "10.9.9.9", pod: "x" }], { service: "other" });
  follow("replicas");
  await untilIds("a");
  expect(reports.at(-1)).toMatchObject([
    { address: { host: "10.0.0.1", port: 1234 }, nodeName: "node-1", zone: "eu-1a", pod: { name: "a" } },
  ]);
  put("two", [{ address: "10.0.0.2", pod: "b" }]);
  await untilIds("a,b");
  put("two", [{ address: "10.0.0.2", pod: "b", ready: false }]);
  await untilIds("a");
  put("two", [{ address: "10.0.0.2", pod: "b", ready: true }]);
  await untilIds("a,b");
  put("one", [{ address: "10.0.0.1", pod: "a", ready: false, serving: true, terminating: true }]);
  await untilIds("a!,b");
  put("one", []);
  await untilIds("b");
  rig.standIn.store("endpointslices").remove("buildkit", "two");
  await untilIds("");
});

test("says nothing of changes that do not matter", async () => {
  put("one", [{ address: "10.0.0.1", pod: "a" }]);
  follow("replicas");
  await untilIds("a");
  for (let index = 0; index < 3; index++) put("one", [{ address: "10.0.0.1", pod: "a" }]);
  put("two", [{ address: "10.0.0.2", pod: "b" }]);
  await untilIds("a,b");
  expect(reports.map(idsOf)).toEqual(["a", "a,b"]);
});

test("reports a service's pods though another's may not be listed", async () => {
  put("one", [{ address: "10.0.0.1", pod: "a" }]);
  rig.standIn.failNext("list", { status: 403, body: "no" });
  follow("denied", "replicas");
  await untilIds("a");
});

test("names the API server's reason where no replica is known", async () => {
  rig.standIn.forbidden.add("list endpointslices");
  follow("replicas");
  const describe = () => describeFleet([], () => discovery.status());
  expect(describe()).toBe("no replica is known: Kubernetes discovery of buildkit/replicas has no answer yet");
  await rig.until(() => statusChanges > 0);
  expect(describe()).toMatch(
    /^no replica is known: Kubernetes discovery of buildkit\/replicas: 403: endpointslices\.discovery\.k8s\.io is forbidden: /,
  );
  rig.standIn.forbidden.clear();
  await rig.until(() => discovery.status()[0]!.state === "live");
  expect(describe()).toBe("no replica is known: Kubernetes discovery of buildkit/replicas finds none");
});

test("says why endpoints cannot be used", async () => {
  put("one", [{ address: "10.0.0.1", pod: "a" }], { ports: null });
  follow("replicas");
  await rig.until(() => statusChanges > 1);
  expect(discovery.status()).toMatchObject([
    { state: "live", reason: "the service has no TCP port: write service:port" },
  ]);
  put("one", [{ address: "10.0.0.1", pod: "a" }]);
  await untilIds("a");
  expect(discovery.status()[0]).not.toHaveProperty("reason");
});

test("leaves slices of names out, with one warning", async () => {
  for (const name of ["one", "two"]) put(name, [{ address: "a.example" }], { addressType: "FQDN" });
  put("three", [{ address: "10.0.0.1", pod: "a" }]);
  follow("replicas");
  await untilIds("a");
  expect(rig.lines.filter(({ msg }) => msg.startsWith("slice left out"))).toHaveLength(1);
});

test("keeps what is known while the API server is away, and tells its age", async () => {
  put("one", [{ address: "10.0.0.1", pod: "a" }]);
  follow("replicas");
  await untilIds("a");
  await rig.until(() => rig.clock.isWatching);
  await rig.standIn.close();
  await rig.until(() => discovery.status()[0]!.state === "stale");
  rig.clock.advance(60_000);
  expect(reports.map(idsOf)).toEqual(["a"]);
  expect(discovery.status()[0]!.ageMs).toBeGreaterThanOrEqual(60_000);
});
