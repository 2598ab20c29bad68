import { acceptsBuilds, type Replica } from "../replicas/replica.ts";
import { rankIds } from "./rendezvous.ts";

/** Why a build went where it went. */
export type PlacementReason = "preferred" | "spilled" | "least loaded";

/** How load weighs against warmth. */
export interface PlacementOptions {
  /** A replica is over its share beyond this multiple of the mean load. At least 1. */
  readonly loadFactor: number;
  /** A replica with fewer running builds than this is never over its share. */
  readonly loadFloor: number;
}

/** A decision, or that there is nobody to decide for. */
export type Placement =
  | { readonly t: "placed"; readonly replicaId: string; readonly reason: PlacementReason }
  | { readonly t: "none" };

/**
 * Choose a replica for a build. Pure: the same inputs give the same answer on
 * every gateway.
 *
 * With a key: the first in the key's rendezvous order that takes builds and is
 * not over its share, else the least loaded. Without one: the least loaded.
 * `excluded` has the replicas that were tried for this build and could not be reached.
 */
export function place(
  key: string | undefined,
  replicas: readonly Replica[],
  excluded: ReadonlyMap<string, string>,
  options: PlacementOptions,
): Placement {
  const candidates = replicas.filter((replica) => acceptsBuilds(replica) && !excluded.has(replica.id));
  if (candidates.length === 0) return { t: "none" };
  if (key === undefined) return { t: "placed", replicaId: leastLoaded(candidates).id, reason: "least loaded" };
  const share = fairShare(candidates, options);
  const byId = new Map(candidates.map((replica) => [replica.id, replica]));
  const order = rankIds(key, [...byId.keys()]);
  const chosen = order.find((id) => byId.get(id)!.runningBuilds < share) ?? leastLoaded(candidates).id;
  return { t: "placed", replicaId: chosen, reason: chosen === order[0] ? "preferred" : "spilled" };
}

/** Builds that one replica may run before it is over its share, the new build counted in. */
function fairShare(candidates: readonly Replica[], { loadFactor, loadFloor }: PlacementOptions): number {
  const running = candidates.reduce((sum, { runningBuilds }) => sum + runningBuilds, 1);
  return Math.max(loadFloor, Math.ceil((loadFactor * running) / candidates.length));
}

function leastLoaded(candidates: readonly Replica[]): Replica {
  return candidates.reduce((best, replica) => (replica.runningBuilds < best.runningBuilds ? replica : best));
}
