import { describe, expect, test } from "vitest";
import { callerKey, describeCaller } from "../../../src/identity/caller.ts";
import { Callers, type PodDirectory } from "../../../src/identity/callers.ts";

const SIDECAR = ["cn:sidecar-7"];
const CLAIM = "repository=github.com%2Facme%2Fapp&runId=42";
const RUNNER = { namespace: "arc", pod: "runner-1", repository: "github.com/acme/real" };

const PODS: PodDirectory = {
  at: (address) => (address === "10.0.0.7" ? RUNNER : undefined),
  named: (namespace, pod) => (namespace === "arc" && pod === "runner-9" ? { ...RUNNER, pod } : undefined),
  hasRunner: () => false,
};

function client(certificateNames: readonly string[] = [], host = "10.0.0.1") {
  return { host, certificateNames };
}

describe("who is building", () => {
  test("nobody that is known, without certificate, claim and pod", () => {
    expect(new Callers({ trust: [] }).identify(client(), undefined)).toEqual({});
  });

  test("whoever the certificate names", () => {
    expect(new Callers({ trust: [] }).identify(client(["cn:dev"]), undefined)).toEqual({
      certificateNames: ["cn:dev"],
    });
  });

  test("whoever a trusted certificate speaks for, and then not the certificate", () => {
    const callers = new Callers({ trust: ["cn:sidecar-*"] });
    expect(callers.identify(client(SIDECAR), CLAIM)).toEqual({ repository: "github.com/acme/app", runId: "42" });
    expect(callers.identify(client(SIDECAR), undefined)).toEqual({});
  });

  test.each([
    ["a certificate that is not trusted", ["cn:other"], ["cn:sidecar-*"]],
    ["no certificate", [], ["*"]],
    ["nobody's word counting", SIDECAR, []],
  ])("not whoever is claimed with %s", (_case, names, trust) => {
    expect(new Callers({ trust }).identify(client(names), CLAIM)).not.toHaveProperty("repository");
  });

  test("the pod at the client's address, whatever is claimed", () => {
    const callers = new Callers({ trust: ["cn:sidecar-*"], pods: PODS });
    const claim = `${CLAIM}&namespace=arc&pod=runner-9`;
    expect(callers.identify(client(SIDECAR, "10.0.0.7"), claim)).toEqual({ ...RUNNER, runId: "42" });
  });

  test("no job that is claimed, where the cluster has not said yet which one runs in the pod", () => {
    const runner = { namespace: "arc", pod: "runner-1" };
    const pods: PodDirectory = { at: () => runner, named: () => runner, hasRunner: () => true };
    const callers = new Callers({ trust: ["cn:sidecar-*"], pods });
    expect(callers.identify(client(SIDECAR), `${CLAIM}&workload=w&workflow=forged&job=forged`)).toEqual({
      ...runner,
      workload: "w",
    });
  });

  test("the pod that is claimed, where the address tells of none", () => {
    const callers = new Callers({ trust: ["cn:sidecar-*"], pods: PODS });
    const claim = `${CLAIM}&namespace=arc&pod=runner-9`;
    expect(callers.identify(client(SIDECAR), claim)).toMatchObject({ pod: "runner-9", repository: RUNNER.repository });
    expect(callers.identify(client(["cn:other"]), claim)).not.toHaveProperty("pod");
  });
});

describe("the key of a caller", () => {
  test.each([
    [{}, undefined],
    [{ repository: "github.com/acme/app", certificateNames: ["cn:a"] }, "github.com/acme/app"],
    [{ certificateNames: ["uri:spiffe://x", "cn:a"], namespace: "n", workload: "w" }, "caller:uri:spiffe://x"],
    [{ namespace: "n", pod: "p", workload: "w" }, "caller:n/w"],
    [{ namespace: "n", pod: "p" }, undefined],
  ])("%j is %s", (caller, key) => {
    expect(callerKey(caller)).toBe(key);
  });
});

test("a log line has one name of a certificate, and nothing of what is not known", () => {
  expect(describeCaller({ certificateNames: ["uri:a", "cn:b"], job: "j" })).toEqual({ certificate: "uri:a", job: "j" });
  expect(describeCaller({})).toEqual({});
});
