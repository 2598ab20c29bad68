import { type AimOutcome, aimOutcomes } from "./aims.ts";
import type { Machine } from "./machine.ts";
import { type Figures, MEASURES, type Measure, type MeasureName, type UnaryShape } from "./measures.ts";
import { type Spread, spread } from "./statistics.ts";
import type { TargetName } from "./targets/target.ts";
import { type FigureName, UNITS } from "./units.ts";

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

/** Median, smallest and largest of each figure that there is. */
export type Spreads = Readonly<Partial<Record<FigureName, Spread>>>;

/** One target in one measure, over all rounds, in the report's units. */
export interface TargetResult {
  readonly figures: Spreads;
  /** Why rounds failed. */
  readonly failures: readonly string[];
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
  /** The gateway's figures over a peer's, each quotient taken within a round. */
  readonly ratios: Readonly<Partial<Record<MeasureName, Partial<Record<TargetName, Spreads>>>>>;
  readonly aims: readonly AimOutcome[];
}

/** What one target did in one measure. */
export function summarize(measure: Measure, turns: readonly Turn[]): TargetResult {
  const figures = turns.flatMap(({ outcome }) => (outcome.t === "ok" ? [outcome.figures] : []));
  const failures = turns.flatMap(({ outcome }) => (outcome.t === "failed" ? [outcome.reason] : []));
  return { figures: spreads(measure, (read) => figures.map(read)), failures };
}

/** The gateway beside `peer`, round by round. */
export function compare(measure: Measure, peer: TargetName, turns: readonly Turn[]): Spreads {
  return spreads(measure, (read) =>
    turns.map(({ round, target, outcome }) => {
      if (target !== "gateway" || outcome.t !== "ok") return undefined;
      const other = turns.find((turn) => turn.round === round && turn.target === peer)?.outcome;
      const [own, theirs] = [read(outcome.figures), other?.t === "ok" ? read(other.figures) : undefined];
      return own === undefined || !theirs ? undefined : own / theirs;
    }),
  );
}

function spreads(
  { kind }: Measure,
  valuesOf: (read: (figures: Figures) => number | undefined) => readonly (number | undefined)[],
): Spreads {
  return Object.fromEntries(
    Object.entries(UNITS[kind]).flatMap(([name, { read }]) => {
      const found = spread(valuesOf(read).filter((value) => value !== undefined));
      return found ? [[name, found]] : [];
    }),
  );
}

/** Put the turns of a run together. */
export function assemble(
  turns: readonly Turn[],
  about: Pick<Results, "machine" | "pinning" | "rounds" | "seconds" | "unary" | "versions">,
): Results {
  const measured = MEASURES.filter(({ name }) => turns.some((turn) => turn.measure === name));
  const perTarget = <T>(of: (measure: Measure, target: TargetName, turns: readonly Turn[]) => T) =>
    Object.fromEntries(
      measured.map((measure) => {
        const own = turns.filter((turn) => turn.measure === measure.name);
        const targets = [...new Set(own.map(({ target }) => target))];
        return [measure.name, Object.fromEntries(targets.map((target) => [target, of(measure, target, own)]))];
      }),
    );
  const measures = perTarget((measure, target, own) =>
    summarize(
      measure,
      own.filter((turn) => turn.target === target),
    ),
  );
  const ratios = perTarget((measure, target, own) => compare(measure, target, own));
  return {
    ...about,
    otherBusyCores: spread(
      turns.flatMap(({ outcome }) => (outcome.t === "ok" ? (outcome.figures.otherBusyCores ?? []) : [])),
    ),
    measures,
    ratios,
    aims: aimOutcomes({ measures, ratios }),
  };
}
