import type { PlacementReason } from "./placement-reason.ts";
import type { Waiting } from "./placer.ts";
import type { BuildEnd } from "./running-build.ts";

/** Why a build goes to its replica: it was placed there, or follows what was. */
export type ReleaseReason = PlacementReason | { readonly t: "followed" };

/** Hears of one build that is not internal, step by step, from when its Solve has been read. */
export interface BuildObserver {
  /** A replica is looked for: whatever may say where it goes is known. Told again where the search begins anew. */
  placing(): void;
  /** It has to wait for a replica, or something of what is said of that has changed. */
  waits(waiting: Waiting): void;
  /** It goes to this replica if that can be reached; before it counts there. `undefined`: now to none. */
  chosen(replicaId: string | undefined): void;
  /** Its Solve is about to be sent to the replica: what goes with it may be changed for the last time. */
  released(replicaId: string, reason: ReleaseReason, key: string | undefined): void;
  /** It has ended, however, or will not run. */
  ended(end: BuildEnd): void;
}
