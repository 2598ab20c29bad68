import type { TargetName } from "./fuzz-target.ts";

/** What became of a target. */
export interface TargetResult {
  readonly name: TargetName;
  readonly inputs: number;
  readonly seconds: number;
  /** Inputs kept for having reached new code. */
  readonly kept: number;
  /** Share of the sources' code that was reached; undefined where that was not looked at. */
  readonly reached: number | undefined;
  readonly findings: number;
  readonly note: string;
}

/** All results as a table for people. */
export function renderTable(results: readonly TargetResult[]): string {
  const rows = results.map(({ name, inputs, seconds, kept, reached, findings, note }) => [
    name,
    `${inputs}`,
    seconds.toFixed(0),
    reached === undefined ? "" : `${(reached * 100).toFixed(1)} %`,
    reached === undefined ? "" : `${kept}`,
    `${findings}`,
    note,
  ]);
  const all = [["target", "inputs", "seconds", "code reached", "kept", "findings", ""], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))))
    .map((row) => row.join("  ").trimEnd())
    .join("\n");
}
