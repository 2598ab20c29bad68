import { describe, expect, test } from "vitest";
import type { ApiObject } from "../../../../src/kubernetes/api-object.ts";
import { readSlice } from "../../../../src/replicas/discovery/endpoint-slice.ts";
import { choosePort } from "../../../../src/replicas/discovery/service-port.ts";
import { endpointSlice, type SliceEndpoint, type SliceOptions } from "../../../support/kubernetes/endpoint-slice.ts";

const USUAL = { t: "usual" } as const;

function sliceOf(endpoints: readonly SliceEndpoint[], more: Partial<SliceOptions> = {}): ApiObject {
  return endpointSlice({ name: "buildkit-x", service: "buildkit", endpoints, ...more });
}

test("an endpoint is read with its pod, node and zone", () => {
  const place = { nodeName: "node-1", zone: "eu-1a" };
  const slice = readSlice(sliceOf([{ address: "10.0.0.1", pod: "buildkit-0", podUid: "u-0", ...place }]), USUAL);
  expect(slice).toEqual({
    family: "IPv4",
    endpoints: [
      {
        host: "10.0.0.1",
        port: 1234,
        condition: "ready",
        pod: { namespace: "buildkit", name: "buildkit-0", uid: "u-0" },
        ...place,
      },
    ],
  });
});

test.each([
  [{}, "ready"],
  [{ ready: true }, "ready"],
  [{ ready: true, serving: true, terminating: false }, "ready"],
  [{ ready: false }, undefined],
  [{ ready: false, serving: false, terminating: false }, undefined],
  [{ ready: false, serving: true, terminating: false }, undefined],
  [{ ready: false, serving: true, terminating: true }, "terminating"],
  [{ ready: true, serving: true, terminating: true }, "terminating"],
  [{ terminating: true }, "terminating"],
  [{ ready: false, terminating: true }, "leaving"],
  [{ ready: false, serving: false, terminating: true }, "leaving"],
])("the conditions %j come to %s", (conditions, condition) => {
  const { endpoints } = readSlice(sliceOf([{ address: "10.0.0.1", ...conditions }]), USUAL)!;
  expect(endpoints.map((endpoint) => endpoint.condition)).toEqual(condition === undefined ? [] : [condition]);
});

test("addresses are those of the slice's family", () => {
  const endpoints = [{ address: "fd00::1" }, { address: "10.0.0.1" }, { address: "a.example" }];
  const hosts = (addressType: string) =>
    readSlice(sliceOf(endpoints, { addressType }), USUAL)?.endpoints.map(({ host }) => host);
  expect(hosts("IPv4")).toEqual(["10.0.0.1"]);
  expect(hosts("IPv6")).toEqual(["fd00::1"]);
  expect(hosts("FQDN")).toBeUndefined();
});

describe("the port", () => {
  const tcp = (name: string, port: number) => ({ name, port, protocol: "TCP" });
  const DEBUG = tcp("debug", 6060);

  test.each([
    ["called buildkit", [DEBUG, tcp("buildkit", 1234)], USUAL, 1234],
    ["that is the only one", [tcp("grpc", 1235)], USUAL, 1235],
    ["without a name that is the only one", [tcp("", 1236)], USUAL, 1236],
    ["that is the only one of TCP", [tcp("grpc", 1237), { name: "u", port: 1, protocol: "UDP" }], USUAL, 1237],
    ["by name", [DEBUG, tcp("grpc", 1238)], { t: "name", name: "debug" } as const, 6060],
    ["by number, which need not be listed", [DEBUG], { t: "number", port: 9 } as const, 9],
    ["by number where there is none", null, { t: "number", port: 9 } as const, 9],
  ])("is the one %s", (_which, ports, wanted, port) => {
    expect(choosePort(ports, wanted)).toEqual({ t: "port", port });
  });

  test.each([
    ["several", [DEBUG, tcp("grpc", 1)], USUAL, "it has several ports: write service:port (there are debug, grpc)"],
    ["another name", [DEBUG], { t: "name", name: "grpc" } as const, "no port is called grpc (there are debug)"],
    ["none", null, USUAL, "the service has no TCP port: write service:port"],
    ["no number", [{ name: "x" }], USUAL, "the service has no TCP port: write service:port"],
  ])("cannot be told from %s", (_which, ports, wanted, reason) => {
    expect(choosePort(ports, wanted)).toEqual({ t: "none", reason });
  });

  test("is not missed in a slice without endpoints", () => {
    expect(readSlice(sliceOf([], { ports: null }), USUAL)).toEqual({ family: "IPv4", endpoints: [] });
    expect(readSlice(sliceOf([{ address: "10.0.0.1" }], { ports: null }), USUAL)).toHaveProperty("fault");
  });
});

test.each([
  { endpoints: "many" },
  { endpoints: [null, 1, "x", [], {}, { addresses: "10.0.0.1" }, { addresses: [] }, { addresses: [{}] }] },
  { endpoints: [{ addresses: ["10.0.0.1"], conditions: 7, targetRef: "pod", nodeName: {}, zone: "a\nb" }], ports: 7 },
  { endpoints: [{ addresses: ["999.0.0.1"], targetRef: { kind: "Pod", namespace: "x", name: "../y", uid: 1 } }] },
])("what is no slice brings no endpoint: %j", (fields) => {
  const object = { metadata: { name: "x" }, addressType: "IPv4", ports: [{ port: 1234 }], ...fields };
  expect(readSlice(object, USUAL)!.endpoints).toEqual([]);
});
