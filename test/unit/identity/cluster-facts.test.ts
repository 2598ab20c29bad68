import { describe, expect, test } from "vitest";
import { readPod, readRunner } from "../../../src/identity/cluster-facts.ts";
import type { ApiObject } from "../../../src/kubernetes/api-object.ts";

const LABELS = ["actions.github.com/scale-set-name", "app.kubernetes.io/name"];

function pod(status: unknown, spec: unknown = {}, labels: Record<string, string> = {}): ApiObject {
  const metadata = { name: "runner-1", namespace: "arc", labels, creationTimestamp: "2026-11-25T08:00:00Z" };
  return { metadata, spec, status };
}

describe("a pod", () => {
  test("is known by its addresses of both families, and by what it is one of", () => {
    const status = { phase: "Running", podIP: "10.0.0.7", podIPs: [{ ip: "10.0.0.7" }, { ip: "fd00::7" }] };
    const labels = { "app.kubernetes.io/name": "other", "actions.github.com/scale-set-name": "linux-amd64" };
    expect(readPod(pod(status, {}, labels), LABELS)).toEqual({
      claim: { namespace: "arc", pod: "runner-1", workload: "linux-amd64" },
      addresses: ["10.0.0.7", "fd00::7"],
      createdMs: Date.parse("2026-11-25T08:00:00Z"),
    });
  });

  test.each([
    ["has ended", { phase: "Succeeded", podIP: "10.0.0.7" }, {}],
    ["has failed", { phase: "Failed", podIP: "10.0.0.7" }, {}],
    ["has its node's address", { phase: "Running", podIP: "10.0.0.7" }, { hostNetwork: true }],
    ["has no address yet", { phase: "Pending" }, {}],
    ["has no status", undefined, undefined],
    ["has nonsense for one", { podIP: 7, podIPs: "10.0.0.7" }, null],
  ])("that %s is left out", (_case, status, spec) => {
    expect(readPod(pod(status, spec), LABELS)).toBeUndefined();
  });
});

test.each([
  ["labels that are null", { name: "runner-1", namespace: "arc", labels: null }],
  ["a label that is a number", { name: "runner-1", namespace: "arc", labels: { "app.kubernetes.io/name": 7 } }],
])("a pod with %s is one of nothing", (_case, metadata) => {
  const object = { metadata, status: { phase: "Running", podIP: "10.0.0.7" } } as unknown as ApiObject;
  expect(readPod(object, LABELS)?.claim).toEqual({ namespace: "arc", pod: "runner-1" });
});

describe("an EphemeralRunner", () => {
  function runner(status: unknown, githubConfigUrl: unknown = "https://github.com/acme"): ApiObject {
    return { metadata: { name: "runner-1", namespace: "arc" }, spec: { githubConfigUrl }, status };
  }

  const STATUS = {
    jobRepositoryName: "acme/app",
    jobWorkflowRef: "acme/app/.github/workflows/ci.yml@refs/heads/main",
    workflowRunId: 9_876_543_210,
    jobDisplayName: "build (amd64)",
    jobRequestId: 5,
    phase: "Running",
  };

  test("says which job runs in its pod", () => {
    expect(readRunner(runner(STATUS))).toEqual({
      repository: "github.com/acme/app",
      workflow: "acme/app/.github/workflows/ci.yml@refs/heads/main",
      runId: "9876543210",
      job: "build (amd64)",
    });
  });

  test("says on which server it is", () => {
    expect(readRunner(runner(STATUS, "https://ghes.corp.example/acme/app")).repository).toBe(
      "ghes.corp.example/acme/app",
    );
  });

  test.each([[undefined], [{}], [{ workflowRunId: 0, jobRepositoryName: "" }], [{ jobRepositoryName: { a: 1 } }]])(
    "without a job says nothing: %j",
    (status) => {
      expect(readRunner(runner(status))).toEqual({});
    },
  );
});
