import { counted } from "../base/counted.ts";
import { formatDuration } from "../base/duration.ts";
import { acceptsBuilds, type Replica } from "../replicas/replica.ts";
import type { Placement } from "./placement.ts";

/** Why a build is not placed now. */
export type Hindrance =
  | Exclude<Placement, { t: "placed" }>
  /** As many builds of its fair key run as may. */
  | { readonly t: "at maximum"; readonly running: number; readonly setting: string };

/** What of a fleet and its options a description draws on. */
interface Described {
  replicas(): readonly Replica[];
  describe(): string;
}

/** Longest list of replicas that is shown to a user. */
const MAX_LIST_CHARACTERS = 500;

/** Why a build is not placed now, for people. */
export function describeHindrance(
  hindrance: Hindrance,
  fleet: Described,
  excluded: ReadonlyMap<string, string>,
  { maxBuilds, patienceMs }: { readonly maxBuilds: number; readonly patienceMs: number },
): string {
  switch (hindrance.t) {
    case "full":
      return fullCause(fleet.replicas(), excluded, maxBuilds);
    case "none":
      return noneCause(fleet.describe(), fleet.replicas(), excluded);
    case "busy":
      return busyCause(hindrance.replicaId, patienceMs);
    case "unconfirmed":
      return `${hindrance.replicaId} is taking another build`;
    case "at maximum":
      return `${counted(hindrance.running, "build")} of it running already (${hindrance.setting})`;
  }
}

/** No replica has room: `all 3 replicas are full (4 builds each)`. */
function fullCause(replicas: readonly Replica[], excluded: ReadonlyMap<string, string>, maxBuilds: number): string {
  const count = replicas.filter((replica) => acceptsBuilds(replica) && !excluded.has(replica.id)).length;
  const full =
    count === 1
      ? `the only replica is full (${counted(maxBuilds, "build")})`
      : `all ${count} replicas are full (${counted(maxBuilds, "build")} each)`;
  return bounded(full + unreachedPart(replicas, excluded));
}

/** `no replica takes builds: ` and why each is out; one whose checks succeed all the same is named with what this build met. */
function noneCause(description: string, replicas: readonly Replica[], excluded: ReadonlyMap<string, string>): string {
  const unreached = unreachedPart(replicas, excluded);
  return `no replica takes builds: ${bounded(description)}${bounded(unreached)}`;
}

/** `buildkit-1 is warm for it and busy, other replicas in 5s`. */
export function busyCause(replicaId: string, patienceMs: number): string {
  const shownMs = patienceMs < 1_000 ? Math.ceil(patienceMs) : Math.ceil(patienceMs / 1_000) * 1_000;
  return `${replicaId} is warm for it and busy, other replicas in ${formatDuration(shownMs)}`;
}

function unreachedPart(replicas: readonly Replica[], excluded: ReadonlyMap<string, string>): string {
  if (excluded.size === 0) return "";
  const unreached = replicas
    .filter((replica) => acceptsBuilds(replica) && excluded.has(replica.id))
    .map(({ id }) => `${id} (${excluded.get(id)})`);
  return unreached.length === 0 ? "" : `; could not connect to ${unreached.join(", ")}`;
}

function bounded(text: string): string {
  return text.length <= MAX_LIST_CHARACTERS ? text : `${text.slice(0, MAX_LIST_CHARACTERS - 1)}…`;
}
