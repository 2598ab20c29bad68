import { type ServiceError, status } from "@grpc/grpc-js";
import { counted } from "../base/counted.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { WorkerRecord } from "../buildkit/wire-contracts.ts";
import type { Outcome } from "./finding.ts";
import type { Answer } from "./steps.ts";

/** The calls that are made; {@link ReplicaClient} has them. */
export type DaemonCalls = Pick<ReplicaClient, "health" | "info" | "listWorkers">;

/** Platforms that are named. */
const MAX_PLATFORMS = 12;

/** Ask `grpc.health.v1`. Never rejects. */
export async function checkHealth(client: DaemonCalls, timeoutMs: number): Promise<Answer<"answers">> {
  try {
    const said = await client.health(timeoutMs);
    if (said === undefined) {
      return { outcome: { t: "ok", seen: "gRPC answers; it serves no grpc.health, like dockerd" }, value: "answers" };
    }
    if (said === "SERVING") return { outcome: { t: "ok", seen: "SERVING" }, value: "answers" };
    const fix = "it takes no builds now: look at /readyz of the gateway, or at the daemon's log";
    return { outcome: { t: "failure", seen: said, fix }, value: "answers" };
  } catch (error) {
    return { outcome: callFailure(error as ServiceError, timeoutMs) };
  }
}

/** Ask who answers. Never rejects. */
export async function checkInfo(client: DaemonCalls, timeoutMs: number): Promise<Answer<"answers">> {
  try {
    const { value } = await client.info(timeoutMs);
    const seen = value
      ? `BuildKit ${value.version || "of no version"} (${value.package || "no package"})`
      : "BuildKit before 0.11";
    return { outcome: { t: "ok", seen }, value: "answers" };
  } catch (error) {
    return { outcome: callFailure(error as ServiceError, timeoutMs) };
  }
}

/** Ask what it builds for; a gateway says for how many replicas it speaks (docs/one-daemon.md). Never rejects. */
export async function checkWorkers(client: DaemonCalls, timeoutMs: number): Promise<Answer<"answers">> {
  try {
    const { value: workers } = await client.listWorkers(timeoutMs);
    if (workers.length === 0) {
      const fix = "look at the daemon's log: no worker could be started, or the client would not be served";
      return { outcome: { t: "failure", seen: "it lists no worker", fix } };
    }
    const { seen, replicas } = describeWorkers(workers);
    if (replicas !== 0) return { outcome: { t: "ok", seen }, value: "answers" };
    const fix = "no replica is ready, so builds wait: look at the replicas (--admin, --kubeconfig)";
    return { outcome: { t: "warning", seen, fix }, value: "answers" };
  } catch (error) {
    return { outcome: callFailure(error as ServiceError, timeoutMs) };
  }
}

/** `replicas`: for how many a gateway speaks; absent: no gateway answers. */
function describeWorkers(workers: readonly WorkerRecord[]): { readonly seen: string; readonly replicas?: number } {
  const platforms = new Set(
    workers.flatMap((worker) =>
      worker.platforms.map(({ OS, Architecture, Variant }) => [OS, Architecture, Variant].filter(Boolean).join("/")),
    ),
  );
  const named = [...platforms].slice(0, MAX_PLATFORMS);
  if (platforms.size > MAX_PLATFORMS) named.push(`and ${platforms.size - MAX_PLATFORMS} more`);
  const builds = `builds for ${named.join(", ") || "no platform"}`;
  const labels = workers.map(({ Labels }) => Labels);
  const version = labels[0]?.["buildkit-gateway.version"];
  if (version === undefined) {
    return { seen: `${counted(workers.length, "worker")} of a daemon itself, not of a gateway; ${builds}` };
  }
  const replicas = labels.reduce((sum, each) => sum + (Number(each["buildkit-gateway.replicas"]) || 0), 0);
  const pool = labels[0]?.["buildkit-gateway.pool"] ?? "default";
  return { seen: `buildkit-gateway ${version}, pool ${pool} of ${counted(replicas, "replica")}; ${builds}`, replicas };
}

/** What a failed call means, by its status. */
function callFailure(error: ServiceError, timeoutMs: number): Outcome {
  const seen = failureText(error, timeoutMs);
  switch (error.code) {
    case status.UNAUTHENTICATED:
      return {
        t: "failure",
        seen: `refused: ${seen}`,
        fix: "connect as the message says; with TLS: --ca, --cert, --key",
      };
    case status.PERMISSION_DENIED:
      return {
        t: "failure",
        seen: `not allowed: ${seen}`,
        fix: "see policy check --identity …, and the rule that it names",
      };
    case status.UNIMPLEMENTED:
      return { t: "failure", seen: `no BuildKit answers here: ${seen}`, fix: "name the port for builds" };
    case status.UNAVAILABLE:
      return { t: "failure", seen, fix: "look at the replicas: --admin of the gateway, or its log" };
    default:
      return { t: "failure", seen, fix: "look at the log of the gateway or the daemon at this time" };
  }
}
