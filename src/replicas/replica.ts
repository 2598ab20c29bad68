import type { Address } from "../base/address.ts";

/** What discovery reports: a place where a buildkitd may be. */
export interface Endpoint {
  /** Stable name of the replica: from the configuration, the pod's name, or `host:port`. Unique in a fleet. */
  readonly id: string;
  readonly address: Address;
  /** Discovery says that it is going away: running builds stay, new ones go elsewhere. */
  readonly isTerminating: boolean;
}

/** Life of a replica. Only `ready` takes new builds. */
export type ReplicaState =
  | { readonly t: "connecting"; readonly sinceMs: number }
  | { readonly t: "ready"; readonly sinceMs: number }
  | { readonly t: "ejected"; readonly sinceMs: number; readonly reason: string }
  | { readonly t: "draining"; readonly sinceMs: number; readonly reason: string }
  | { readonly t: "gone"; readonly sinceMs: number };

/** An endpoint plus what we learnt about it. A snapshot: it does not change under its reader. */
export interface Replica {
  readonly id: string;
  readonly address: Address;
  readonly state: ReplicaState;
  /** Builds that this gateway placed on it and that have not ended. */
  readonly runningBuilds: number;
}

/** Whether a new build may be placed here. */
export function acceptsBuilds(replica: Replica): boolean {
  return replica.state.t === "ready";
}

/** Why a replica is out, for people: `buildkit-1: ejected (connect ECONNREFUSED 10.0.0.7:1234)`. */
export function describeReplica(replica: Replica): string {
  const { state } = replica;
  const reason = state.t === "ejected" || state.t === "draining" ? ` (${state.reason})` : "";
  return `${replica.id}: ${state.t}${reason}`;
}
