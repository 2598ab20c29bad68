import type { Cancel } from "../base/clock.ts";

/** What groups need of the fleet. */
export interface GroupFleet {
  /** A build is being sent to a replica; call the result when it has ended. */
  buildStarted(replicaId: string): Cancel;
  /** A replica could not be reached. */
  reportFailure(replicaId: string, reason: string): void;
  /** Which replica knows a build, whoever placed it. */
  locateBuild(buildRef: string): Promise<string | undefined>;
}
