import type { DiscoveryStatus } from "./discovery/discovery.ts";
import { describeReplica, type Replica } from "./replica.ts";

/** Replicas that a description names; the others are counted. */
const MAX_DESCRIBED = 10;

/**
 * A fleet for people, in one line: its replicas and why each is out, as in
 * `a: ready, b: ejected (connect ECONNREFUSED 10.0.0.7:1234), and 40 more`, or,
 * where there is none, what discovery has to say to that.
 */
export function describeFleet(replicas: readonly Replica[], discovery: () => readonly DiscoveryStatus[]): string {
  const present = replicas.filter(({ state }) => state.t !== "gone");
  if (present.length === 0) {
    const said = discovery().map(describeStatus).join("; ");
    return `no replica is known${said === "" ? "" : `: ${said}`}`;
  }
  const named = present.slice(0, MAX_DESCRIBED).map(describeReplica);
  if (present.length > MAX_DESCRIBED) named.push(`and ${present.length - MAX_DESCRIBED} more`);
  return named.join(", ");
}

function describeStatus({ source, state, reason }: DiscoveryStatus): string {
  if (reason !== undefined) return `${source}: ${reason}`;
  return `${source} ${state === "live" ? "finds none" : "has no answer yet"}`;
}

/** The part of a fleet that says what is known of it. */
export interface ToldFleet {
  discovery(): readonly DiscoveryStatus[];
  replicas(): readonly Replica[];
  describe(): string;
}

/** Why nothing is known of a fleet: no source has ever told of any replica, or that there is none. `undefined`: one has, or none needs to. */
export function whyUntold(fleet: ToldFleet): string | undefined {
  const sources = fleet.discovery();
  const isTold = sources.length === 0 || sources.some(({ ageMs }) => ageMs !== undefined);
  return isTold || fleet.replicas().length > 0 ? undefined : fleet.describe();
}
