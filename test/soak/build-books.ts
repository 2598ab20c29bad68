/** What a client wanted of its build. */
export type Wish = "success" | "failure" | "to leave it";

/** One command of a client's that builds. */
export interface RanBuild {
  /** For people: which client, what it did. */
  readonly client: string;
  /** Of all its builds: a bake has several. */
  readonly refs: readonly string[];
  /** When the client began and ended, in ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly wish: Wish;
  /** It fails by itself, where its client does not leave it before. */
  readonly isBroken?: boolean;
  /** What the client heard; `nothing`: it was gone. */
  readonly told: "success" | "failure" | "nothing";
  /** The end of what it said. */
  readonly message: string;
}

/** A gateway's word of a build's end. */
export interface EndedBuild {
  readonly buildRef: string;
  readonly outcome: string;
  /** Where it ran; `undefined`: nowhere. */
  readonly replica: string | undefined;
}

/** A replica could not go on with its builds, from the moment that it was ended until it took builds again. */
export interface Loss {
  readonly replica: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** All that was written down. */
export interface Books {
  readonly ran: readonly RanBuild[];
  readonly ended: readonly EndedBuild[];
  /** Refs that the gateway said it had placed. */
  readonly placed: readonly string[];
  readonly losses: readonly Loss[];
}

/** What the books come to. */
export interface Audit {
  /** Refs that clients gave their builds. */
  readonly refs: number;
  /** Of those, they that the gateway never heard of: their client was stopped, or could not begin. */
  readonly unheard: number;
  /** Of those, they that were sent to a replica. */
  readonly placed: number;
  /** Builds by how they ended, as the gateway says. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of those that were placed, likewise. */
  readonly placedOutcomes: Readonly<Record<string, number>>;
  /** Builds that did not end as their clients wished, since a replica was lost under them. */
  readonly excused: number;
  /** What does not add up, for people. Empty: everything does. */
  readonly faults: readonly string[];
}

/** Outcomes of a build whose client has left it: it may have been too late. */
const LEFT: readonly string[] = ["cancelled", "succeeded"];

/**
 * Compare what clients know of their builds with what the gateway says: each
 * ended once, as its client heard, and whatever did not end as its client
 * wished has a cause.
 */
export function auditBuilds({ ran, ended, placed, losses }: Books): Audit {
  const faults: string[] = [];
  const endsOf = new Map<string, EndedBuild[]>();
  for (const end of ended) endsOf.set(end.buildRef, [...(endsOf.get(end.buildRef) ?? []), end]);
  const known = new Set(ran.flatMap(({ refs }) => refs));
  const placedRefs = new Set(placed.filter((ref) => known.has(ref)));
  for (const { buildRef, replica } of ended) if (replica !== undefined) placedRefs.add(buildRef);
  let unheard = 0;
  let excused = 0;

  for (const build of ran) {
    const lost = (replica: string | undefined) => losses.some((loss) => isUnder(loss, build, replica));
    if (build.refs.length === 0 && !mayBeUnheard(build) && !lost(undefined)) faults.push(describe(build, "no build"));
    for (const ref of build.refs) {
      const ends = endsOf.get(ref) ?? [];
      const [end] = ends;
      if (ends.length > 1) faults.push(describe(build, `${ref} ended ${ends.length} times`));
      if (!end) {
        unheard++;
        const isExcused = build.told === "failure" && lost(undefined);
        if (isExcused) excused++;
        if (placedRefs.has(ref)) faults.push(describe(build, `${ref} was placed and has no end`));
        else if (!isExcused && !mayBeUnheard(build)) faults.push(describe(build, `${ref} was never heard of`));
        continue;
      }
      if (isAsWished(build, end)) continue;
      if (lost(end.replica) && isPossible(build, end)) excused++;
      else faults.push(describe(build, `${ref} ${end.outcome} on ${end.replica ?? "no replica"}`));
    }
  }
  const nobodys = ended.filter(({ buildRef }) => !known.has(buildRef));
  faults.push(...nobodys.map(({ buildRef, outcome }) => `${buildRef} ${outcome}, and no client has built it`));
  return {
    refs: known.size,
    unheard,
    placed: placedRefs.size,
    outcomes: countOutcomes(ended),
    placedOutcomes: countOutcomes(ended.filter(({ replica }) => replica !== undefined)),
    excused,
    faults,
  };
}

/** Whether a replica, or any, was lost while the build's client ran. */
function isUnder(loss: Loss, { fromMs, toMs }: RanBuild, replica: string | undefined): boolean {
  return (replica === undefined || loss.replica === replica) && loss.fromMs <= toMs && loss.toMs >= fromMs;
}

/** A client that is stopped may not have come to its build yet. */
function mayBeUnheard({ wish, told }: RanBuild): boolean {
  return wish === "to leave it" && told !== "success";
}

function isAsWished({ wish, told, refs, isBroken = false }: RanBuild, { outcome }: EndedBuild): boolean {
  if (told === "success") return wish !== "failure" && outcome === "succeeded";
  if (wish === "to leave it") return LEFT.includes(outcome) || (isBroken && outcome === "failed");
  if (wish === "failure" && told === "failure") {
    // The others of a bake are left when one has failed.
    return outcome === "failed" || (refs.length > 1 && LEFT.includes(outcome));
  }
  return false;
}

/** A loss explains a bad end, but neither a refusal nor a success that was none. */
function isPossible({ told }: RanBuild, { outcome }: EndedBuild): boolean {
  return told !== "success" && outcome !== "refused";
}

function countOutcomes(ended: readonly EndedBuild[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of ended) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function describe({ client, wish, told, fromMs, toMs, message }: RanBuild, what: string): string {
  const times = `${new Date(fromMs).toISOString().slice(11, 23)}–${new Date(toMs).toISOString().slice(11, 23)}`;
  return `${client}, ${times}: ${what}; wished ${wish}, heard ${told}${message === "" ? "" : `: ${message}`}`;
}
