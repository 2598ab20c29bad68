import { counted } from "../base/counted.ts";
import { formatDuration } from "../base/duration.ts";
import { type ErrorKind, GatewayError } from "../base/errors.ts";
import type { PlacementOutcome } from "./placer.ts";

/** Nothing is placed any more. */
export function refuseStopping(): PlacementOutcome {
  return refuse("shutting_down", "the gateway is ending");
}

/** Nobody waits for it any more. */
export function refuseAbandoned(): PlacementOutcome {
  return refuse("cancelled", "the build was cancelled");
}

/** No replica takes builds, and the call must not wait. */
export function refuseNoReplica(cause: string): PlacementOutcome {
  return refuse("no_replica", cause);
}

/** It would have to wait, and as many wait as may; `noun`: `build`. */
export function refuseQueueFull(queueBuilds: number, noun: string, cause: string): PlacementOutcome {
  if (queueBuilds > 0) return refuse("queue_full", `the queue is full: ${counted(queueBuilds, noun)} (queue.builds)`);
  return refuse("queue_full", `${cause}, and nothing may wait (queue.builds)`);
}

/** It has waited as long as it may. */
export function refuseTimeout(queueTimeoutMs: number, cause: string): PlacementOutcome {
  return refuse("queue_timeout", `waited ${formatDuration(queueTimeoutMs)} for a replica: ${cause} (queue.timeout)`);
}

function refuse(kind: ErrorKind, message: string): PlacementOutcome {
  return { t: "refused", error: new GatewayError(kind, message) };
}
