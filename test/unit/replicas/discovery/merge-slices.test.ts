import { expect, test } from "vitest";
import type { EndpointCondition, Slice } from "../../../../src/replicas/discovery/endpoint-slice.ts";
import { mergeSlices } from "../../../../src/replicas/discovery/merge-slices.ts";

interface Given {
  readonly host: string;
  readonly port?: number;
  /** `name`, or `namespace/name`. */
  readonly pod?: string;
  readonly uid?: string;
  readonly condition?: EndpointCondition;
}

function slice(family: "IPv4" | "IPv6", ...endpoints: Given[]): Slice {
  return {
    family,
    endpoints: endpoints.map(({ host, port = 1234, pod, uid, condition = "ready" }) => {
      const [name = "", namespace = "buildkit"] = (pod ?? "").split("/").reverse();
      return {
        host,
        port,
        condition,
        ...(pod && { pod: { namespace, name, uid: uid ?? `uid of ${namespace}/${name}` } }),
      };
    }),
  };
}

/** `id@host:port`, with `!` where it terminates. */
function merged(...services: Slice[][]): string[] {
  return mergeSlices(services).map(({ id, address, isTerminating }) => {
    const { host, port } = address as { host: string; port: number };
    return `${id}@${host}:${port}${isTerminating ? "!" : ""}`;
  });
}

test("replicas of all slices are called by their pods, in order", () => {
  const slices = [slice("IPv4", { host: "10.0.0.2", pod: "b" }), slice("IPv4", { host: "10.0.0.1", pod: "a" })];
  expect(merged(slices)).toEqual(["a@10.0.0.1:1234", "b@10.0.0.2:1234"]);
});

test("without a pod they are called by their address", () => {
  expect(merged([slice("IPv6", { host: "fd00::1" })])).toEqual(["[fd00::1]:1234@fd00::1:1234"]);
});

test("a pod of both families is one replica, at its IPv4 address", () => {
  const slices = [slice("IPv6", { host: "fd00::1", pod: "a" }), slice("IPv4", { host: "10.0.0.1", pod: "a" })];
  expect(merged(slices)).toEqual(["a@10.0.0.1:1234"]);
  expect(merged(slices.slice(0, 1))).toEqual(["a@fd00::1:1234"]);
});

test("an endpoint that is in two slices for a moment counts once", () => {
  const endpoint = { host: "10.0.0.1", pod: "a" };
  expect(merged([slice("IPv4", endpoint), slice("IPv4", endpoint)])).toEqual(["a@10.0.0.1:1234"]);
});

test.each([
  ["ready", "terminating", ["a@10.0.0.1:1234!"]],
  ["terminating", "ready", ["a@10.0.0.1:1234!"]],
  ["leaving", "ready", []],
  ["ready", "leaving", []],
  ["leaving", "terminating", []],
] as const)("a pod that is %s in one slice and %s in another", (one, other, expected) => {
  const slices = [one, other].map((condition) => slice("IPv4", { host: "10.0.0.1", pod: "a", condition }));
  expect(merged(slices)).toEqual(expected);
});

test("a pod that follows another of its name is the replica", () => {
  const old = slice("IPv4", { host: "10.0.0.1", pod: "a", uid: "old", condition: "terminating" });
  const young = slice("IPv4", { host: "10.0.0.9", pod: "a", uid: "young" });
  expect(merged([old, young])).toEqual(["a@10.0.0.9:1234"]);
});

test("an address that another pod has taken over is that one's", () => {
  const old = slice("IPv4", { host: "10.0.0.1", pod: "a", condition: "terminating" });
  const young = slice("IPv4", { host: "10.0.0.1", pod: "b" });
  expect(merged([old, young])).toEqual(["b@10.0.0.1:1234"]);
});

test("pods of one name in two namespaces are called with their namespaces", () => {
  const services = [
    [slice("IPv4", { host: "10.0.0.1", pod: "one/buildkit-0" }, { host: "10.0.0.2", pod: "one/buildkit-1" })],
    [slice("IPv4", { host: "10.0.0.3", pod: "two/buildkit-0" })],
  ];
  expect(merged(...services)).toEqual([
    "buildkit-1@10.0.0.2:1234",
    "one/buildkit-0@10.0.0.1:1234",
    "two/buildkit-0@10.0.0.3:1234",
  ]);
});

test("a pod of two services is one replica, at the first one's port", () => {
  const one = [slice("IPv4", { host: "10.0.0.1", pod: "a", port: 1 })];
  const two = [slice("IPv4", { host: "10.0.0.1", pod: "a", port: 2 })];
  expect(merged(one, two)).toEqual(["a@10.0.0.1:1"]);
  expect(merged(two, one)).toEqual(["a@10.0.0.1:2"]);
});
