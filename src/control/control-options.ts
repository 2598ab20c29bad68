import type { Clock } from "../base/clock.ts";
import type { ContentOwners } from "../replicas/content-owners.ts";
import type { Fleet } from "../replicas/fleet.ts";
import type { ReplicaSearch } from "../replicas/replica-search.ts";
import type { MissingPolicies } from "./missing-policy.ts";

/** What answers for the whole fleet are made from. */
export interface ControlOptions {
  readonly fleet: Pick<Fleet, "replicas" | "client" | "dial" | "onChange" | "onNews" | "holdersOf">;
  readonly clock: Clock;
  /** Finds the owner of a build. */
  readonly search: Pick<ReplicaSearch, "build">;
  /** Is told where the content of records that are handed on is. */
  readonly owners: Pick<ContentOwners, "learn">;
  /** Time that a replica has to answer a question about builds, or for each next record of a list. */
  readonly timeoutMs: number;
  /** Time that a replica has for what it may have to work on: its disk usage, a change of its history. */
  readonly slowTimeoutMs: number;
  readonly incomplete: MissingPolicies;
  /** Caches of a replica's have been thrown away. */
  readonly onPruned: (replicaId: string) => void;
}
