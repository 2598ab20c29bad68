import type { Machine } from "./machine.ts";
import { type Figures, MEASURES, type Measure, type MeasureName, type UnaryShape } from "./measures.ts";
import { type Spread, spread } from "./statistics.ts";
import type { TargetName } from "./targets/target.ts";

/** Which measure of which target went how, round by round; a failed one keeps its reason. */
export type Outcome =
  | { readonly t: "ok"; readonly figures: Figures }
  | { readonly t: "failed"; readonly reason: string };

export interface Turn {
  readonly round: number;
  readonly measure: MeasureName;
  readonly target: TargetName;
  readonly outcome: Outcome;
}

/** One target in one measure, over all rounds, in the report's units. */
export interface TargetResult {
  /** Bulk: GB (10^9 bytes) per second. */
  readonly gigabytesPerSecond?: Spread | undefined;
  readonly cpuSecondsPerGigabyte?: Spread | undefined;
  readonly endsCpuSecondsPerGigabyte?: Spread | undefined;
  /** Unary. */
  readonly callsPerSecond?: Spread | undefined;
  readonly cpuSecondsPer1000Calls?: Spread | undefined;
  readonly endsCpuSecondsPer1000Calls?: Spread | undefined;
  readonly p50Us?: Spread | undefined;
  readonly p99Us?: Spread | undefined;
  /** Why rounds failed. */
  readonly failures: readonly string[];
}

/** The gateway beside one peer: medians over the rounds of the quotient within a round. */
export interface Ratio {
  /** Above 1 the gateway is faster. */
  readonly throughput: Spread | undefined;
  /** Above 1 the gateway needs more CPU time for the same. */
  readonly cpu: Spread | undefined;
  /** The throughput quotient that the project wants at least. */
  readonly aim: number | undefined;
}

/** All that a run has found. */
export interface Results {
  readonly machine: Machine;
  readonly pinning: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly unary: UnaryShape;
  /** Cores that something else kept busy during the measurements. */
  readonly otherBusyCores: Spread | undefined;
  readonly versions: Readonly<Partial<Record<TargetName, string>>>;
  readonly measures: Readonly<Partial<Record<MeasureName, Partial<Record<TargetName, TargetResult>>>>>;
  readonly ratios: Readonly<Partial<Record<MeasureName, Partial<Record<TargetName, Ratio>>>>>;
}

/** What one target did in one measure. */
export function summarize(measure: Measure, turns: readonly Turn[]): TargetResult {
  const figures = turns.flatMap(({ outcome }) => (outcome.t === "ok" ? [outcome.figures] : []));
  const failures = turns.flatMap(({ outcome }) => (outcome.t === "failed" ? [outcome.reason] : []));
  const over = (pick: (each: Figures) => number | undefined): Spread | undefined =>
    spread(figures.map(pick).filter((value) => value !== undefined));
  if (measure.kind === "bulk") {
    return {
      gigabytesPerSecond: over((each) => each.perSecond / 1e9),
      cpuSecondsPerGigabyte: over((each) => each.cpuSecondsEach && each.cpuSecondsEach * 1e9),
      endsCpuSecondsPerGigabyte: over((each) => each.endsCpuSecondsEach * 1e9),
      failures,
    };
  }
  return {
    callsPerSecond: over((each) => each.perSecond),
    cpuSecondsPer1000Calls: over((each) => each.cpuSecondsEach && each.cpuSecondsEach * 1e3),
    endsCpuSecondsPer1000Calls: over((each) => each.endsCpuSecondsEach * 1e3),
    p50Us: over((each) => each.latency?.p50Us),
    p99Us: over((each) => each.latency?.p99Us),
    failures,
  };
}

/** The gateway beside `peer`, round by round. */
export function compare(measure: Measure, peer: TargetName, turns: readonly Turn[]): Ratio {
  const quotients = (pick: (figures: Figures) => number | undefined): Spread | undefined =>
    spread(
      turns.flatMap(({ round, target, outcome }) => {
        if (target !== "gateway" || outcome.t !== "ok") return [];
        const other = turns.find((turn) => turn.round === round && turn.target === peer)?.outcome;
        const [own, theirs] = [pick(outcome.figures), other?.t === "ok" ? pick(other.figures) : undefined];
        return own === undefined || !theirs ? [] : [own / theirs];
      }),
    );
  return {
    throughput: quotients((figures) => figures.perSecond),
    cpu: quotients((figures) => figures.cpuSecondsEach),
    aim: peer === "nginx" || peer === "haproxy" ? measure.aims[peer] : undefined,
  };
}

/** Put the turns of a run together. */
export function assemble(
  turns: readonly Turn[],
  targets: readonly TargetName[],
  about: Pick<Results, "machine" | "pinning" | "rounds" | "seconds" | "unary" | "versions">,
): Results {
  const measured = MEASURES.filter(({ name }) => turns.some((turn) => turn.measure === name));
  const turnsOf = (measure: Measure): Turn[] => turns.filter((turn) => turn.measure === measure.name);
  const peers = targets.includes("gateway") ? targets.filter((name) => name !== "gateway") : [];
  return {
    ...about,
    otherBusyCores: spread(
      turns.flatMap(({ outcome }) => (outcome.t === "ok" ? [outcome.figures.otherBusyCores] : [])),
    ),
    measures: Object.fromEntries(
      measured.map((measure) => [
        measure.name,
        Object.fromEntries(
          targets.map((name) => [
            name,
            summarize(
              measure,
              turnsOf(measure).filter((turn) => turn.target === name),
            ),
          ]),
        ),
      ]),
    ),
    ratios: Object.fromEntries(
      measured.map((measure) => [
        measure.name,
        Object.fromEntries(peers.map((peer) => [peer, compare(measure, peer, turnsOf(measure))])),
      ]),
    ),
  };
}
