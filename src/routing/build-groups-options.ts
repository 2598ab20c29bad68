import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { KeySource } from "./affinity-key.ts";
import type { Placer } from "./placer.ts";

/** What groups need of the fleet. */
export interface GroupFleet {
  /** A build is being sent to a replica; call the result when it has ended. */
  buildStarted(replicaId: string): Cancel;
  /** A replica could not be reached. */
  reportFailure(replicaId: string, reason: string): void;
  /** Which replica knows a build, whoever placed it. */
  locateBuild(buildRef: string): Promise<string | undefined>;
}

/** What groups are made of. */
export interface BuildGroupsOptions {
  readonly placer: Placer;
  readonly fleet: GroupFleet;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where affinity keys come from, in order. */
  readonly keySources: readonly KeySource[];
}
