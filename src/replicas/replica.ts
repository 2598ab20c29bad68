import type { Address } from "../base/address.ts";

/** A pod, as Kubernetes knows it. */
export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Where a replica runs, as far as discovery says. */
export interface Whereabouts {
  readonly nodeName?: string;
  readonly zone?: string;
  readonly pod?: PodReference;
}

/** What discovery reports: a place where a buildkitd may be. */
export interface Endpoint extends Whereabouts {
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
export interface Replica extends Whereabouts {
  readonly id: string;
  readonly address: Address;
  readonly state: ReplicaState;
  /** Which daemon it is: its first worker's id, which changes with its state directory. Empty where it is not known. */
  readonly identity: string;
  /** Builds that run on it, whoever started them; those of this gateway count from the moment they are placed. */
  readonly runningBuilds: number;
  /**
   * Builds of this gateway's that its history does not list yet. While there is
   * one, other gateways cannot see it. 0 where the history cannot be followed.
   */
  readonly unconfirmedBuilds: number;
  /** Why others' builds are not among the running ones, though a daemon may run some. Absent: they are. */
  readonly loadUnknown?: string;
  /** Its last health check has failed. Absent: no. */
  readonly isFailing?: true;
  /** An operator wants no new build there, whatever its state says. Absent: no. */
  readonly isDrainedByOperator?: true;
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
