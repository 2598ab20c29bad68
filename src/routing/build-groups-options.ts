import type { Cancel, Clock } from "../base/clock.ts";
import type { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import type { Policy } from "../identity/policy.ts";
import type { KeySource } from "./affinity-key.ts";
import type { BuildObserver } from "./build-observer.ts";
import type { Placer } from "./placer.ts";
import type { RoutedCall } from "./routed-call.ts";
import type { BuildEnd, BuildPlace } from "./running-build.ts";

/** Which replica knows a build, whoever placed it; where none does or it cannot be told, why. `undefined`: nobody can be asked. */
export type BuildOwner = string | GatewayError | undefined;

/** What groups need of the fleet. */
export interface GroupFleet {
  /** A build is being sent to a replica; call the result when it has ended. */
  buildStarted(replicaId: string, buildRef: string): Cancel;
  /** A replica could not be reached. */
  reportFailure(replicaId: string, reason: string): void;
  locateBuild(buildRef: string): Promise<BuildOwner>;
  /** Replicas that have content of this digest, as far as it is known, and that can be asked. */
  contentOwners(digest: string): readonly string[];
  /** Which replica has content of this digest: all are asked. `undefined`: none; where it cannot be told, why. */
  locateContent(digest: string): Promise<string | GatewayError | undefined>;
}

/** Who remembers where caches are warm. */
export interface Warmth {
  /** A build with this key has succeeded on a replica. */
  built(key: string, replicaId: string): void;
}

/** When a build's user is shown that it waits, and where it runs. */
export type ProgressMode =
  /** When it has had to wait. */
  "queued" | "always" | "off";

/** What groups are made of. */
export interface BuildGroupsOptions {
  readonly placer: Placer;
  readonly fleet: GroupFleet;
  readonly warmth: Warmth;
  /** What some replica answers to a frontend's Ping (`PongResponse`); `undefined` where that is not known. */
  readonly pong: () => Buffer | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where affinity keys come from, in order. */
  readonly keySources: readonly KeySource[];
  readonly progress: ProgressMode;
  /** What callers may do. Absent: everything. */
  readonly policy?: Policy;
  /** A build that is not internal goes to a replica, or for now to none. */
  readonly onBuildMoved?: (build: BuildPlace) => void;
  /** A build that is not internal has ended, however, or will not run. */
  readonly onBuildEnded?: (build: BuildEnd) => void;
  /** Who hears of a build step by step; `undefined`: nobody does of this one. Absent: nobody of any. */
  readonly observeBuild?: (call: RoutedCall, solve: SolveRequest) => BuildObserver | undefined;
}
