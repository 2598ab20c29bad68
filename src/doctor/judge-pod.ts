import { printable } from "../base/printable.ts";
import type { ApiObject } from "../kubernetes/api-object.ts";
import type { Outcome } from "./finding.ts";

/** How a container ended last (kubernetes/api, core/v1 types.go, ContainerStateTerminated). */
interface Termination {
  readonly reason: string;
  readonly exitCode: number;
  readonly signal: number;
  readonly finishedAt: string;
}

/** What a container does now. */
interface ContainerState {
  readonly name: string;
  readonly restarts: number;
  /** Why it waits; empty: it does not. */
  readonly waitingFor: string;
  readonly waitingMessage: string;
  readonly last: Termination | undefined;
}

/** An ending that is longer ago is told, and no longer a warning. */
const RECENT_MS = 86_400_000;

const MAX_TEXT_CHARACTERS = 300;

/** Containers of one pod that are looked at. */
const MAX_CONTAINERS = 20;

const SIGTERM = 15;

const OUT_OF_MEMORY = "raise the memory limit, or lower max-parallelism of buildkitd.toml and maxBuilds of the gateway";

/** What to do about what a container waits for (kubernetes/kubernetes, pkg/kubelet/images and container). */
const WAITING_FIXES: Readonly<Record<string, string>> = {
  ImagePullBackOff: "check the image's name, its pull secret, and that the node trusts the registry",
  ErrImagePull: "check the image's name, its pull secret, and that the node trusts the registry",
  InvalidImageName: "correct the image's name",
  CreateContainerConfigError: "create the Secret or ConfigMap that the pod names",
  CreateContainerError: "see kubectl describe pod: a mount, a device or the security settings",
};

/** Judge a replica's pod: whether it is ready, how it ended last, and what to change. Whatever is in the object. */
export function judgePod(pod: ApiObject, now: Date): Outcome {
  const status = recordOf(pod.status);
  const containers = [...listOf(status.initContainerStatuses), ...listOf(status.containerStatuses)].map(readContainer);
  const ends = containers.flatMap(({ name, last }) => (last ? [{ name, last, ...describeEnd(last, now) }] : []));
  const told = ends.map(({ name, seen }) => `${name} ${seen}`).join("; ");
  const withEnds = (seen: string) => (told === "" ? seen : `${seen}; ${told}`);
  const failure = (seen: string, fix: string): Outcome => ({ t: "failure", seen: withEnds(seen), fix });
  if (recordOf(pod.metadata).deletionTimestamp !== undefined) return { t: "ok", seen: withEnds("is being deleted") };
  if (status.phase === "Failed") {
    const isEvicted = status.reason === "Evicted";
    const fix = isEvicted
      ? "give the daemon's state a volume of its own and a bound (reservedSpace, maxUsedSpace), or raise ephemeral-storage"
      : "see kubectl describe pod, then delete it";
    return failure(`Failed: ${textOf(status.reason)} ${textOf(status.message)}`.trim(), fix);
  }
  const unscheduled = conditionOf(status, "PodScheduled");
  if (unscheduled)
    return failure(`is not scheduled: ${unscheduled}`, "make room in the cluster, or lower its requests");
  const waiting = containers.find(({ waitingFor }) => waitingFor !== "" && !isUsualWait(waitingFor));
  if (waiting) {
    const { name, waitingFor, waitingMessage, restarts } = waiting;
    const said = waitingMessage === "" ? "" : ` (${waitingMessage})`;
    const seen = `${name} waits: ${waitingFor}${said}, ${restarts} restarts`;
    const end = ends.find((known) => known.name === name);
    return failure(seen, WAITING_FIXES[waitingFor] ?? end?.fix ?? "see kubectl describe pod and its log");
  }
  const recent = ends.find(({ isRecent, isHarmless }) => isRecent && !isHarmless);
  const isReady = containers.length > 0 && conditionOf(status, "Ready") === undefined && status.phase === "Running";
  if (isReady && !recent) return { t: "ok", seen: withEnds("ready") };
  const why = conditionOf(status, "Ready");
  const seen = isReady ? "ready" : `not ready${why ? `: ${why}` : ""}`;
  const fix = recent?.fix ?? "see kubectl describe pod: its readiness probe fails, or it is still starting";
  return { t: "warning", seen: withEnds(seen), fix };
}

function describeEnd(
  { reason, exitCode, signal, finishedAt }: Termination,
  now: Date,
): { readonly seen: string; readonly fix: string; readonly isRecent: boolean; readonly isHarmless: boolean } {
  const agoMs = now.getTime() - Date.parse(finishedAt);
  const when = Number.isNaN(agoMs) ? "" : ` at ${finishedAt}`;
  const seen = `ended last with ${exitCode}${reason === "" ? "" : `, ${reason}`}${when}`;
  // What has no time may be recent; memory that does not suffice once will not the next time.
  const isRecent = Number.isNaN(agoMs) || agoMs < RECENT_MS || reason === "OOMKilled";
  return { seen, fix: fixOfEnd(reason, exitCode, signal), isRecent, isHarmless: exitCode === 0 };
}

function fixOfEnd(reason: string, exitCode: number, signal: number): string {
  if (reason === "OOMKilled") return OUT_OF_MEMORY;
  if (exitCode === 128 + SIGTERM || signal === SIGTERM) {
    return "it was told to end (SIGTERM) while the pod stayed: look for a liveness probe that fails; drain before it (preStop)";
  }
  if (exitCode === 137) {
    return `it was killed (SIGKILL): a step's memory (${OUT_OF_MEMORY}), a liveness probe, or a grace period that is too short`;
  }
  return "see kubectl logs --previous; after SIGTERM buildkitd ends with 1, so look for a liveness probe that fails, too";
}

/** What every container waits for at its start. */
function isUsualWait(reason: string): boolean {
  return reason === "ContainerCreating" || reason === "PodInitializing";
}

/** Why a condition is not true; undefined: it is, or nothing is said of it. */
function conditionOf(status: Readonly<Record<string, unknown>>, type: string): string | undefined {
  const condition = listOf(status.conditions)
    .map(recordOf)
    .find((known) => known.type === type);
  if (!condition || condition.status === "True") return undefined;
  return [textOf(condition.reason), textOf(condition.message)].filter(Boolean).join(", ") || "no reason given";
}

function readContainer(value: unknown): ContainerState {
  const { name, restartCount, state, lastState } = recordOf(value);
  const { waiting, terminated } = recordOf(state);
  const ended = terminated ?? recordOf(lastState).terminated;
  return {
    name: textOf(name),
    restarts: numberOf(restartCount),
    waitingFor: textOf(recordOf(waiting).reason),
    waitingMessage: textOf(recordOf(waiting).message),
    last: ended === undefined ? undefined : readTermination(ended),
  };
}

function readTermination(value: unknown): Termination {
  const { reason, exitCode, signal, finishedAt } = recordOf(value);
  return {
    reason: textOf(reason),
    exitCode: numberOf(exitCode),
    signal: numberOf(signal),
    finishedAt: textOf(finishedAt),
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, MAX_CONTAINERS) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? printable(value, MAX_TEXT_CHARACTERS) : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
