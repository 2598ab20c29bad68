import { acceptsBuilds, describeReplica, type Replica } from "../replicas/replica.ts";
import { isOtherDaemon, obstacle, type Placement, type PlacementOptions, place, surveyFleet } from "./placement.ts";
import { rankIds } from "./rendezvous.ts";
import type { WarmPlace } from "./warm-memory.ts";

/** Where a build of a key would go now, and why. */
export interface Explanation {
  /** `undefined`: the build has none. */
  readonly key: string | undefined;
  readonly decision: Placement;
  /** In the key's order of preference; without a key least loaded first. */
  readonly replicas: readonly ExplainedReplica[];
}

/** How a replica stands to a key. */
export interface ExplainedReplica {
  readonly id: string;
  /** From 1. */
  readonly rank: number;
  readonly state: Replica["state"]["t"];
  /** Running builds, whoever started them. */
  readonly running: number;
  /** Builds that it may run at once; 0: any number. */
  readonly maxBuilds: number;
  /** A build of the key ended there with success, and its cache is probably still there. */
  readonly isWarm: boolean;
  /** For people: `warm, takes it`, `full (4 of 4 builds)`, `ejected (connect ECONNREFUSED)`. */
  readonly verdict: string;
}

const NOBODY: ReadonlyMap<string, string> = new Map();

/** Explain what {@link place} says of a new build of a key. Pure. */
export function explain(
  key: string | undefined,
  warm: readonly WarmPlace[],
  replicas: readonly Replica[],
  options: PlacementOptions,
): Explanation {
  const decision = place({ key, warm, excluded: NOBODY, isPatient: true }, replicas, options);
  const survey = surveyFleet(replicas, NOBODY, options);
  const byId = new Map(replicas.map((replica) => [replica.id, replica]));
  const explained = order(key, replicas).map((id, index): ExplainedReplica => {
    const replica = byId.get(id)!;
    const place = warm.find(({ replicaId }) => replicaId === id);
    const isWarm = place !== undefined && !isOtherDaemon(replica, place.identity);
    const { runningBuilds: running } = replica;
    const because = obstacle(replica, NOBODY, survey, options);
    return {
      id,
      rank: index + 1,
      state: replica.state.t,
      running,
      maxBuilds: options.maxBuilds,
      isWarm,
      verdict: `${isWarm ? "warm, " : ""}${verdict(replica, because, survey.share, decision)}`,
    };
  });
  return { key, decision, replicas: explained };
}

function order(key: string | undefined, replicas: readonly Replica[]): string[] {
  if (key !== undefined)
    return rankIds(
      key,
      replicas.map(({ id }) => id),
    );
  return replicas.toSorted((a, b) => a.runningBuilds - b.runningBuilds).map(({ id }) => id);
}

function verdict(replica: Replica, because: string | undefined, share: number, decision: Placement): string {
  const { id, runningBuilds: running } = replica;
  if (!acceptsBuilds(replica)) return describeReplica(replica).slice(`${id}: `.length);
  const isTheOne = "replicaId" in decision && decision.replicaId === id;
  if (isTheOne && decision.t === "placed") return "takes it";
  if (isTheOne && decision.t === "unconfirmed") return "takes it once another build is confirmed";
  if (because === "full") return `full (${running} of ${share} builds)`;
  if (because === "over its share") return `over its share (${running} of ${share} builds)`;
  return "has room";
}
