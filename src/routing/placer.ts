import type { Cancel } from "../base/clock.ts";
import type { GatewayError } from "../base/errors.ts";
import type { PlacementReason } from "./placement-reason.ts";

/** What wants a replica. */
export type PlacementPurpose =
  /** May be made to wait, and counts as load. */
  | "build"
  /** An internal Solve, by which a client learns what the daemon can do: waits for a replica, but for no room on one. */
  | "internal"
  /** A call of no build, such as the export of a trace: clients wait for it even after Ctrl-C, so it must not. */
  | "call";

/** A build that cannot go on yet, as its user may see it. */
export interface Waiting {
  /** Place in the queue, from 1. */
  readonly position: number;
  /** Builds in the queue. */
  readonly length: number;
  /** What it waits for, for people: `all 3 replicas are full (4 builds each)`. */
  readonly cause: string;
}

/** What wants a replica, and what is known of it. */
export interface PlacementRequest {
  readonly purpose: PlacementPurpose;
  /** What its cache is known by; absent: anywhere. */
  readonly key: string | undefined;
  /** Whose turn it takes in the queue: its key, or for a build without one its client. */
  readonly fairKey: string;
  /** Builds of this fair key that may run at once, in place of the usual number. 0: any number. */
  readonly perKey?: number | undefined;
  /** Replicas that could not be reached for this build, and why. */
  readonly excluded: ReadonlyMap<string, string>;
  /**
   * Called when a replica has been chosen, before anything else is decided: the
   * build counts as load of that replica from then on.
   */
  readonly onChosen: (replicaId: string) => void;
  /** Called when it has to wait, and whenever what is said changes. Never from inside `place`. */
  readonly onWaiting: (waiting: Waiting) => void;
}

/** Where it may go, or why nowhere. */
export type PlacementOutcome =
  | { readonly t: "placed"; readonly replicaId: string; readonly reason: PlacementReason }
  | { readonly t: "refused"; readonly error: GatewayError };

/** Decides where builds run. */
export interface Placer {
  /** May take its time; `signal` says that nobody waits any more, and then what it resolves with does not matter. */
  place(request: PlacementRequest, signal: AbortSignal): Promise<PlacementOutcome>;
  /** A build of this fair key has been admitted; call the result when it has ended. */
  buildStarted(fairKey: string): Cancel;
}
