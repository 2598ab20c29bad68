import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { ReplicaFacts } from "./facts.ts";
import type { EndedBuild, HistoryNews } from "./history-follower.ts";
import type { Endpoint, Replica } from "./replica.ts";

/** When a replica is checked, and when it is out. */
export interface CheckSchedule {
  /** Time between two checks of a ready replica. Default 5,000. */
  readonly intervalMs: number;
  /** Time that a replica has to answer a check. Default 2,000. */
  readonly timeoutMs: number;
  /** Failed checks in a row that put out a replica that was well. At least 1. Default 2. */
  readonly failuresToEject: number;
}

/** What is to be other than the default in how replicas are checked. */
export type HealthOptions = Partial<CheckSchedule>;

/** What a replica's monitor works with. */
export interface MonitorOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** Names the replica in each of its lines. */
  readonly log: Logger;
  readonly tls?: TlsMaterial;
  readonly health: CheckSchedule;
  /** A number in [0, 1), for the jitter of the backoff. */
  readonly random: () => number;
  /** Why a replica of these facts cannot be of this fleet; `undefined`: it can. */
  readonly refusal: (facts: ReplicaFacts) => string | undefined;
  /** Called after every check. */
  readonly onChecked?: (durationMs: number, isWell: boolean) => void;
  /** Called after every change of state or identity. */
  readonly onChange: (replica: Replica) => void;
  /** Called after every change of its load. */
  readonly onLoad: () => void;
  /** Hears of every build that has ended there, of some more than once. */
  readonly onBuildEnded: (build: EndedBuild) => void;
  /** Hears once of all that happens to builds there. */
  readonly onNews: (news: HistoryNews) => void;
  /** Called once nothing of a gone replica is left to follow. */
  readonly onOver: () => void;
}
