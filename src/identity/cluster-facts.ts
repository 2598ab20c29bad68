import { printable } from "../base/printable.ts";
import type { ApiObject } from "../kubernetes/api-object.ts";
import { MAX_CALLER_CHARACTERS } from "./caller.ts";
import { type Claim, makeClaim } from "./claim.ts";
import { githubRepository } from "./github.ts";

/** A pod, as far as it tells who is building. */
export interface PodFacts {
  readonly claim: Claim;
  /** Addresses that are its own. */
  readonly addresses: readonly string[];
  /** In milliseconds of the epoch: an address that two pods have is the younger one's. */
  readonly createdMs: number;
}

/** Most addresses that a pod has: one of each family (kubernetes.io, "IPv4/IPv6 dual-stack"). */
const MAX_ADDRESSES = 8;

/**
 * Read a pod; undefined where it builds nothing: it has ended, or has no address
 * of its own. `labels`: those that say what it is one of; the first that it has
 * counts.
 */
export function readPod(pod: ApiObject, labels: readonly string[]): PodFacts | undefined {
  const { name, namespace } = pod.metadata;
  const given = recordOf(pod.metadata.labels);
  const status = recordOf(pod.status);
  const isOver = status.phase === "Succeeded" || status.phase === "Failed";
  if (namespace === undefined || isOver || recordOf(pod.spec).hostNetwork === true) return undefined;
  const listed = Array.isArray(status.podIPs) ? status.podIPs.map((entry) => recordOf(entry).ip) : [];
  const addresses = new Set([status.podIP, ...listed].filter((ip) => typeof ip === "string" && ip !== ""));
  if (addresses.size === 0) return undefined;
  const workload = labels.map((key) => given[key]).find((text) => typeof text === "string" && text !== "") as
    | string
    | undefined;
  const known = { namespace, pod: name, workload };
  return {
    claim: makeClaim((key) => known[key as keyof typeof known]),
    addresses: ([...addresses] as string[]).slice(0, MAX_ADDRESSES).map((ip) => printable(ip, 64)),
    createdMs: Date.parse(String((pod.metadata as { creationTimestamp?: unknown }).creationTimestamp)) || 0,
  };
}

/**
 * Read the job that actions-runner-controller's EphemeralRunner says runs in the
 * pod of its name (actions/actions-runner-controller,
 * apis/actions.github.com/v1alpha1/ephemeralrunner_types.go); empty while none does.
 */
export function readRunner(runner: ApiObject): Claim {
  const { jobRepositoryName, jobWorkflowRef, workflowRunId, jobDisplayName } = recordOf(runner.status);
  const { githubConfigUrl } = recordOf(runner.spec);
  const server = typeof githubConfigUrl === "string" ? githubConfigUrl : undefined;
  const job = {
    repository: githubRepository(textOf(jobRepositoryName) ?? "", server),
    workflow: textOf(jobWorkflowRef),
    runId: workflowRunId === 0 ? undefined : textOf(workflowRunId),
    job: textOf(jobDisplayName),
  };
  return makeClaim((key) => (key in job ? job[key as keyof typeof job] : undefined));
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value.slice(0, MAX_CALLER_CHARACTERS * 2) : undefined;
}
