import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { checkHealth, checkInfo, checkWorkers, type DaemonCalls } from "../../../src/doctor/daemon-checks.ts";
import type { Outcome } from "../../../src/doctor/finding.ts";
import { refusal } from "../../support/grpc-replica.ts";

const BYTES = Buffer.alloc(0);

/** A client whose calls end like this; those that are left out are not made. */
function client(calls: Partial<DaemonCalls>): DaemonCalls {
  const never = () => Promise.reject(new Error("not asked for"));
  return { health: never, info: never, listWorkers: never, ...calls };
}

function workers(...labels: readonly Record<string, string>[]): DaemonCalls {
  const platforms = [{ OS: "linux", Architecture: "arm64", Variant: "v8" }];
  const value = labels.map((Labels) => ({ ID: "w", Labels, platforms, BuildkitVersion: null }));
  return client({ listWorkers: async () => ({ bytes: BYTES, value }) });
}

const gatewayOf = (replicas: string) => ({
  "buildkit-gateway.version": "0.1.0",
  "buildkit-gateway.pool": "arm",
  "buildkit-gateway.replicas": replicas,
});

test("a gateway's workers say for how many replicas it speaks", async () => {
  expect((await checkWorkers(workers(gatewayOf("2"), gatewayOf("1")), 10)).outcome).toEqual({
    t: "ok",
    seen: "buildkit-gateway 0.1.0, pool arm of 3 replicas; builds for linux/arm64/v8",
  });
});

test("a gateway without a ready replica is a warning, and a daemon without a worker a failure", async () => {
  expect((await checkWorkers(workers(gatewayOf("0")), 10)).outcome.t).toBe("warning");
  expect((await checkWorkers(workers(), 10)).outcome).toMatchObject({ t: "failure", seen: "it lists no worker" });
});

test("a daemon that names no version is of an old one", async () => {
  const old = client({ info: async () => ({ bytes: BYTES, value: undefined }) });
  expect((await checkInfo(old, 10)).outcome).toEqual({ t: "ok", seen: "BuildKit before 0.11" });
});

test.each([
  [status.UNAUTHENTICATED, "refused: said", /--ca, --cert, --key/],
  [status.PERMISSION_DENIED, "not allowed: said", /policy check/],
  [status.UNIMPLEMENTED, "no BuildKit answers here: said", /port for builds/],
  [status.UNAVAILABLE, "said", /replicas/],
  [status.DEADLINE_EXCEEDED, "no answer in 10 ms", /log/],
  [status.INTERNAL, "said", /log/],
])("status %i has its own remedy", async (code, seen, fix) => {
  const failing = client({ health: () => Promise.reject(refusal(code, "said")) });
  const { outcome, value } = await checkHealth(failing, 10);
  expect([outcome.t, outcome.seen, value]).toEqual(["failure", seen, undefined]);
  expect((outcome as Extract<Outcome, { t: "failure" }>).fix).toMatch(fix);
});
