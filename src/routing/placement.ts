import { acceptsBuilds, type Replica } from "../replicas/replica.ts";
import type { PlacementReason } from "./placement-reason.ts";
import { hashText, isPreferred, rendezvousWeight } from "./rendezvous.ts";
import type { WarmPlace } from "./warm-memory.ts";

/** How load weighs against warmth. */
export interface PlacementOptions {
  /** A replica is over its share beyond this multiple of the mean load. At least 1. */
  readonly loadFactor: number;
  /** A replica with fewer running builds than this is never over its share. */
  readonly loadFloor: number;
  /** Builds that one replica may run at once; then it is full. 0: none ever is. */
  readonly maxBuilds: number;
}

/** A build, as far as it matters where it goes. */
export interface PlacementQuery {
  /** What its cache is known by; absent: anywhere. */
  readonly key: string | undefined;
  /** Where its key last built, latest first. */
  readonly warm: readonly WarmPlace[];
  /** Replicas that could not be reached for it, and why. */
  readonly excluded: ReadonlyMap<string, string>;
  /** It may still wait for a warm replica that is busy. */
  readonly isPatient: boolean;
}

/** A decision, or what has to come first. */
export type Placement =
  | { readonly t: "placed"; readonly replicaId: string; readonly reason: PlacementReason }
  /** This replica is warm for it, and full or over its share; others have room. */
  | { readonly t: "busy"; readonly replicaId: string }
  /** It would go to this replica, whose last build other gateways cannot see yet. */
  | { readonly t: "unconfirmed"; readonly replicaId: string }
  /** No replica has room. */
  | { readonly t: "full" }
  /** No replica takes builds, or none that could be reached. */
  | { readonly t: "none" };

/** What decisions need to know of all replicas together. */
export interface Survey {
  /** Replicas that take builds and are not excluded. */
  readonly count: number;
  /** Running builds at which a replica is crowded: the mean, and `loadFloor` or half of what it may run. */
  readonly crowd: number;
  /** The least loaded one with room. */
  readonly leastLoaded: Replica | undefined;
  /** Running builds at which a replica is over its share, the new build counted in. At most `maxBuilds`. */
  readonly share: number;
}

/**
 * Choose a replica for a build. Pure: the same inputs give the same answer on
 * every gateway. `replicas` are in the order of their ids, as a fleet gives them.
 *
 * A key goes where it is warm: to the latest of its places that is not crowded,
 * else to the least loaded of them, so that keys that build often leave room for
 * the others. While all of them are busy and others have room, it waits
 * as long as its patience lasts. Then, and where nothing is warm, it goes to the
 * first in its rendezvous order that has room and is not over its share, else to
 * the least loaded with room. Without a key: the least loaded with room.
 */
export function place(query: PlacementQuery, replicas: readonly Replica[], options: PlacementOptions): Placement {
  const { key, warm, excluded, isPatient } = query;
  const survey = surveyFleet(replicas, excluded, options);
  const { leastLoaded } = survey;
  if (survey.count === 0) return { t: "none" };
  let missed: { readonly replicaId: string; readonly because: string; readonly isBusy: boolean } | undefined;
  let free: Replica | undefined;
  for (const { replicaId, identity } of warm) {
    const replica = replicaOf(replicas, replicaId);
    if (isOtherDaemon(replica, identity)) continue;
    const because = obstacle(replica, excluded, survey, options);
    if (because === undefined) {
      free = freer(free, replica!, survey);
      continue;
    }
    const isBusy = isCandidate(replica, excluded);
    if (missed === undefined || (isBusy && !missed.isBusy)) missed = { replicaId, because, isBusy };
  }
  if (free) return confirmed(free, { t: "warm" }, options);
  if (leastLoaded === undefined) return { t: "full" };
  if (key === undefined) return confirmed(leastLoaded, { t: "least loaded" }, options);
  if (missed?.isBusy && isPatient && leastLoaded.id !== missed.replicaId) {
    return { t: "busy", replicaId: missed.replicaId };
  }
  const { preferred, chosen = leastLoaded } = chooseByRank(key, replicas, excluded, survey);
  if (missed?.replicaId === chosen.id) return confirmed(chosen, { t: "warm" }, options);
  if (missed) return confirmed(chosen, { t: "spilled", from: missed.replicaId, because: missed.because }, options);
  if (chosen === preferred) return confirmed(chosen, { t: "preferred" }, options);
  const because = isFull(preferred, options) ? "full" : "over its share";
  return confirmed(chosen, { t: "spilled", from: preferred.id, because }, options);
}

/** Found by halves: a key may be warm in ten places, and a fleet may have a thousand replicas. */
function replicaOf(replicas: readonly Replica[], id: string): Replica | undefined {
  let low = 0;
  let high = replicas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (replicas[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return replicas[low]?.id === id ? replicas[low] : undefined;
}

/** The better of two places, of which `next` is the older: the latest that is not crowded, else the least loaded. */
function freer(best: Replica | undefined, next: Replica, { crowd }: Survey): Replica {
  if (best === undefined) return next;
  return best.runningBuilds >= crowd && next.runningBuilds < best.runningBuilds ? next : best;
}

/** Choose a replica for what needs no room: the least loaded. `undefined`: none takes builds, or none that could be reached. */
export function placeAnywhere(
  replicas: readonly Replica[],
  excluded: ReadonlyMap<string, string>,
): Replica | undefined {
  let best: Replica | undefined;
  for (const replica of replicas) {
    if (!isCandidate(replica, excluded)) continue;
    if (best === undefined || replica.runningBuilds < best.runningBuilds) best = replica;
  }
  return best;
}

/** Whether any replica takes builds, and whether any of them has room. */
export function fleetRoom(replicas: readonly Replica[], options: PlacementOptions): "room" | "full" | "none" {
  let room: "full" | "none" = "none";
  for (const replica of replicas) {
    if (!acceptsBuilds(replica)) continue;
    if (!isFull(replica, options)) return "room";
    room = "full";
  }
  return room;
}

/** Look at all replicas once. */
export function surveyFleet(
  replicas: readonly Replica[],
  excluded: ReadonlyMap<string, string>,
  options: PlacementOptions,
): Survey {
  let count = 0;
  let running = 1;
  let leastLoaded: Replica | undefined;
  for (const replica of replicas) {
    if (!isCandidate(replica, excluded)) continue;
    count++;
    running += replica.runningBuilds;
    if (isFull(replica, options)) continue;
    if (leastLoaded === undefined || replica.runningBuilds < leastLoaded.runningBuilds) leastLoaded = replica;
  }
  const { loadFactor, loadFloor, maxBuilds } = options;
  const mean = running / Math.max(count, 1);
  const share = Math.max(loadFloor, Math.ceil(loadFactor * mean));
  if (maxBuilds === 0) return { count, leastLoaded, crowd: Math.max(mean, loadFloor), share };
  const crowd = Math.max(mean, Math.min(loadFloor, maxBuilds / 2));
  return { count, leastLoaded, crowd, share: Math.min(share, maxBuilds) };
}

/** The first in the key's rendezvous order, and the first of those with room that are not over their share. */
function chooseByRank(
  key: string,
  replicas: readonly Replica[],
  excluded: ReadonlyMap<string, string>,
  { share }: Survey,
): { readonly preferred: Replica; readonly chosen: Replica | undefined } {
  const keyHash = hashText(key);
  let preferred: Replica | undefined;
  let preferredWeight = -1;
  let chosen: Replica | undefined;
  let chosenWeight = -1;
  for (const replica of replicas) {
    if (!isCandidate(replica, excluded)) continue;
    const weight = rendezvousWeight(keyHash, replica.id);
    if (preferred === undefined || isPreferred(weight, replica.id, preferredWeight, preferred.id)) {
      preferred = replica;
      preferredWeight = weight;
    }
    if (replica.runningBuilds >= share) continue;
    if (chosen === undefined || isPreferred(weight, replica.id, chosenWeight, chosen.id)) {
      chosen = replica;
      chosenWeight = weight;
    }
  }
  return { preferred: preferred!, chosen };
}

/** Why a build does not go to a replica, in few words: `full`, `draining`; `undefined`: it can. */
export function obstacle(
  replica: Replica | undefined,
  excluded: ReadonlyMap<string, string>,
  { share }: Survey,
  options: PlacementOptions,
): string | undefined {
  if (replica === undefined) return "gone";
  if (!acceptsBuilds(replica)) return replica.state.t;
  if (excluded.has(replica.id)) return "could not be reached";
  if (isFull(replica, options)) return "full";
  return replica.runningBuilds >= share ? "over its share" : undefined;
}

function confirmed(replica: Replica, reason: PlacementReason, { maxBuilds }: PlacementOptions): Placement {
  if (maxBuilds > 0 && replica.unconfirmedBuilds > 0) return { t: "unconfirmed", replicaId: replica.id };
  return { t: "placed", replicaId: replica.id, reason };
}

/** Another daemon answers under the name now, and what was built there is gone. */
export function isOtherDaemon(replica: Replica | undefined, identity: string): boolean {
  return replica !== undefined && identity !== "" && replica.identity !== "" && replica.identity !== identity;
}

function isCandidate(replica: Replica | undefined, excluded: ReadonlyMap<string, string>): boolean {
  return replica !== undefined && acceptsBuilds(replica) && !(excluded.size > 0 && excluded.has(replica.id));
}

function isFull({ runningBuilds }: Replica, { maxBuilds }: PlacementOptions): boolean {
  return maxBuilds > 0 && runningBuilds >= maxBuilds;
}
