import type { Readiness } from "./probes.ts";

/** What decides whether a pool takes a build. */
export interface PoolReadiness {
  readonly name: string;
  /** A replica would take a build now. */
  readonly hasRoom: boolean;
  /** Why nothing is known of its replicas, not even that there are none. */
  readonly untold?: string | undefined;
  readonly queued: number;
  /** Builds that may wait. */
  readonly queueBuilds: number;
}

/**
 * Ready is a gateway that is not draining and has a pool that takes builds: at
 * once, or into its queue. One pool that is full does not cost the others their
 * traffic. `isIdentifying`: who builds is still being asked for the first time;
 * a policy would take everybody for unknown.
 */
export function readinessOf(
  isDraining: boolean,
  pools: readonly PoolReadiness[],
  isIdentifying: boolean = false,
): Readiness {
  if (isDraining) return { t: "not_ready", reason: "draining" };
  if (isIdentifying) {
    return { t: "not_ready", reason: "the pods that build have not been listed yet (identity.pods)" };
  }
  const notes = pools.flatMap((pool) => {
    const note = describeUnusual(pool);
    if (note === undefined) return [];
    return pools.length === 1 ? note : `${pool.name}: ${note}`;
  });
  const note = notes.join("; ");
  if (!pools.some(takesBuilds)) return { t: "not_ready", reason: note };
  return notes.length === 0 ? { t: "ready" } : { t: "ready", note };
}

/** A queue is no good before a replica that has not been found: a gateway beside this one may know where they are. */
function takesBuilds({ hasRoom, untold, queued, queueBuilds }: PoolReadiness): boolean {
  return hasRoom || (untold === undefined && queued < queueBuilds);
}

function describeUnusual(pool: PoolReadiness): string | undefined {
  const { hasRoom, untold, queued, queueBuilds } = pool;
  if (hasRoom) return undefined;
  if (untold !== undefined) return untold;
  if (queueBuilds === 0) return "no replica takes a build now, and none may wait (queue.builds is 0)";
  return takesBuilds(pool)
    ? `no replica takes a build now, builds wait: ${queued} in the queue`
    : `queue full: ${queued} builds waiting (queue.builds)`;
}
