import type { Cancel } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { ApiFailure } from "../kubernetes/api-failure.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { neededRole } from "../kubernetes/needed-role.ts";
import { patchObject } from "../kubernetes/object-calls.ts";
import { deletionCost } from "./deletion-cost.ts";
import type { PodReference, Replica } from "./replica.ts";

/** Whose pods' costs are kept. */
export interface DeletionCostOptions {
  readonly server: ApiServer;
  readonly replicas: () => readonly Replica[];
  /** How many keys are warm on a replica. */
  readonly warmKeys: (replicaId: string) => number;
  readonly log: Logger;
}

/** kubernetes.io, "Well-Known Labels, Annotations and Taints": a ReplicaSet deletes pods with a lower one first. */
const ANNOTATION = "controller.kubernetes.io/pod-deletion-cost";

/** A pod's cost is written once in this time at most. */
const INTERVAL_MS = 10_000;

/** After a refusal nothing is written for this long. */
const REFUSED_PAUSE_MS = 60_000;

/**
 * Keeps the annotation that says what the deletion of each replica's pod costs.
 *
 * A gateway writes only when what it would write has changed, not when another
 * has written something else: two that see warmth a little differently leave each
 * other's word as it is.
 */
export class DeletionCostKeeper {
  readonly #options: DeletionCostOptions;
  /** What was written last, by the pod's uid. */
  #written = new Map<string, number>();
  #lastReason: string | undefined;

  constructor(options: DeletionCostOptions) {
    this.#options = options;
  }

  /** Begin to write; returns the way to stop. */
  start(): Cancel {
    const { clock } = this.#options.server;
    const ending = new AbortController();
    let cancelTimer: Cancel = () => {};
    const round = async () => {
      const pauseMs = await this.#writeAll(ending.signal);
      if (!ending.signal.aborted) cancelTimer = clock.after(pauseMs, round);
    };
    cancelTimer = clock.after(INTERVAL_MS, round);
    return () => {
      ending.abort();
      cancelTimer();
    };
  }

  /** Write what has changed, pod by pod; resolves with the time until the next round. */
  async #writeAll(signal: AbortSignal): Promise<number> {
    const { replicas, warmKeys } = this.#options;
    const present = replicas().filter(({ pod, state }) => pod && state.t !== "gone");
    const uids = new Set(present.map(({ pod }) => pod!.uid));
    this.#written = new Map([...this.#written].filter(([uid]) => uids.has(uid)));
    for (const replica of present) {
      const pod = replica.pod!;
      const cost = deletionCost(replica, warmKeys(replica.id));
      if (cost === undefined || cost === this.#written.get(pod.uid)) continue;
      const pauseMs = await this.#write(pod, cost, signal);
      if (signal.aborted || pauseMs > 0) return Math.max(pauseMs, INTERVAL_MS);
    }
    return INTERVAL_MS;
  }

  /** Resolves with how long to write nothing, 0 where it went well. */
  async #write(pod: PodReference, cost: number, signal: AbortSignal): Promise<number> {
    const { server, log } = this.#options;
    const resource = { group: "", version: "v1", name: "pods", namespace: pod.namespace };
    const patch = { metadata: { uid: pod.uid, annotations: { [ANNOTATION]: String(cost) } } };
    try {
      await patchObject(server, { resource, name: pod.name }, patch, signal);
      log.debug({ pod: `${pod.namespace}/${pod.name}`, cost }, "deletion cost written");
      this.#written.set(pod.uid, cost);
      this.#lastReason = undefined;
      return 0;
    } catch (reason) {
      if (signal.aborted || !(reason instanceof ApiFailure)) return INTERVAL_MS;
      // It is gone, or another pod has its name now: discovery will say so.
      if (reason.kind === "missing" || reason.kind === "conflict") return 0;
      this.#refused(reason, pod, resource);
      return reason.kind === "forbidden" ? REFUSED_PAUSE_MS : Math.max(reason.retryAfterMs ?? 0, INTERVAL_MS);
    }
  }

  #refused({ kind, message: reason }: ApiFailure, pod: PodReference, resource: Parameters<typeof neededRole>[0]): void {
    if (kind === this.#lastReason) return;
    this.#lastReason = kind;
    const { log } = this.#options;
    const fields = { pod: `${pod.namespace}/${pod.name}`, reason };
    if (kind !== "forbidden") log.warn(fields, "deletion cost not written");
    else
      log.error(
        { ...fields, role: neededRole(resource, ["patch"], reason) },
        "deletion cost not written: apply this role",
      );
  }
}
