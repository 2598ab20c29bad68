import type { AimOutcome } from "./aims.ts";
import type { Machine } from "./machine.ts";
import { MEASURES, type Measure } from "./measures.ts";
import type { Results, Spreads } from "./results.ts";
import type { Spread } from "./statistics.ts";
import { type FigureName, UNITS, type Unit } from "./units.ts";

/** The results as text for people. */
export function renderReport(results: Results): string {
  const lines = [
    ...describeRun(results),
    ...MEASURES.flatMap((measure) => (results.measures[measure.name] ? ["", ...renderMeasure(results, measure)] : [])),
    "",
    ...renderAims(results.aims),
  ];
  return `${lines.join("\n")}\n`;
}

function describeRun({ machine, pinning, rounds, seconds, unary, versions, otherBusyCores }: Results): string[] {
  return [
    `machine             ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}`,
    `congestion control  ${describeCongestionControl(machine)}`,
    `placement           ${pinning}`,
    `other load          ${renderSpread(otherBusyCores, 2)} cores busy with something else meanwhile`,
    `rounds              ${rounds} of ${seconds} s for each target; median (min–max); CPU time is the proxy's own (ends: generator and replica); GB = 10^9 bytes`,
    `unary               ${unary.connections} connections with ${unary.concurrency} open calls each`,
    ...Object.entries(versions).map(([name, version]) => `${name.padEnd(20)}${version}`),
  ];
}

function describeCongestionControl({ congestionControl }: Machine): string {
  const { machineDefault, duringTheRun } = congestionControl;
  if (machineDefault === duringTheRun) return `${duringTheRun}, for all targets`;
  return `${duringTheRun}, for all targets, during the run (the machine's default: ${machineDefault})`;
}

function renderMeasure(results: Results, { name, kind }: Measure): string[] {
  const units = Object.entries(UNITS[kind]) as [FigureName, Unit][];
  const rows = Object.entries(results.measures[name] ?? {});
  const cells = rows.map(([target, { figures }]) => [
    target,
    ...units.map(([figure, { digits }]) => renderSpread(figures[figure], digits)),
  ]);
  const failures = rows.flatMap(([target, result]) =>
    [...new Set(result.failures)].map((reason) => `  ${target} failed: ${reason}`),
  );
  const ratios = Object.entries(results.ratios[name] ?? {})
    .filter(([peer]) => peer !== "gateway")
    .map(([peer, spreads]) => `  gateway / ${peer}: ${renderRatios(units, spreads)}`);
  return [...alignColumns([[name, ...units.map(([, { head }]) => head)], ...cells]), ...failures, ...ratios];
}

function renderRatios(units: readonly (readonly [FigureName, Unit])[], spreads: Spreads): string {
  return units
    .filter(([figure]) => spreads[figure])
    .map(([figure, { head }]) => `${head} ${renderSpread(spreads[figure], 2)}`)
    .join(", ");
}

function renderAims(aims: readonly AimOutcome[]): string[] {
  return alignColumns([
    ["aims", "of", "beside", "wanted", "measured", ""],
    ...aims.map(({ measure, figure, beside, atLeast, atMost, measured, isReached }) => [
      measure,
      UNITS[MEASURES.find(({ name }) => name === measure)!.kind][figure]!.head,
      beside ?? "",
      atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`,
      measured === undefined ? "–" : measured.toFixed(2),
      measured === undefined ? "not measured" : isReached ? "reached" : "missed",
    ]),
  ]);
}

function renderSpread(spread: Spread | undefined, digits: number): string {
  if (!spread) return "–";
  const text = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(spread.median)} (${text(spread.min)}–${text(spread.max)})`;
}

/** First column left, the others right. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("   ")
      .trimEnd(),
  );
}
