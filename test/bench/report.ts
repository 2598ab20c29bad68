import type { Machine } from "./machine.ts";
import { MEASURES, type MeasureName } from "./measures.ts";
import type { Ratio, Results, TargetResult } from "./results.ts";
import type { Spread } from "./statistics.ts";
import type { TargetName } from "./targets/target.ts";

/** The results as text for people. */
export function renderReport(results: Results): string {
  const lines = [
    ...describeRun(results),
    ...MEASURES.flatMap(({ name }) => (results.measures[name] ? ["", ...renderMeasure(results, name)] : [])),
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

function renderMeasure(results: Results, name: MeasureName): string[] {
  const rows = Object.entries(results.measures[name] ?? {});
  const isBulk = rows.some(([, result]) => result.gigabytesPerSecond);
  const head = isBulk
    ? ["GB/s", "CPU s/GB", "ends' CPU s/GB"]
    : ["calls/s", "CPU s/1,000", "ends' CPU s/1,000", "p50 µs", "p99 µs"];
  const cells = rows.map(([target, result]) => [target, ...renderCells(result, isBulk)]);
  const failures = rows.flatMap(([target, result]) =>
    [...new Set(result.failures)].map((reason) => `  ${target} failed: ${reason}`),
  );
  const ratios = Object.entries(results.ratios[name] ?? {}).map(([peer, ratio]) => renderRatio(peer, ratio));
  return [...alignColumns([[name, ...head], ...cells]), ...failures, ...ratios.map((line) => `  ${line}`)];
}

function renderCells(result: TargetResult, isBulk: boolean): string[] {
  if (isBulk) {
    return [
      renderSpread(result.gigabytesPerSecond, 2),
      renderSpread(result.cpuSecondsPerGigabyte, 2),
      renderSpread(result.endsCpuSecondsPerGigabyte, 2),
    ];
  }
  return [
    renderSpread(result.callsPerSecond, 0),
    renderSpread(result.cpuSecondsPer1000Calls, 4),
    renderSpread(result.endsCpuSecondsPer1000Calls, 4),
    renderSpread(result.p50Us, 0),
    renderSpread(result.p99Us, 0),
  ];
}

function renderRatio(peer: string | TargetName, { throughput, cpu, aim }: Ratio): string {
  if (!throughput) return `gateway / ${peer}: not measured`;
  const verdict = aim === undefined ? "" : `, aim ${aim.toFixed(2)} ${throughput.median >= aim ? "reached" : "missed"}`;
  const cpuPart = cpu ? `, CPU ${renderSpread(cpu, 2)}` : "";
  return `gateway / ${peer}: throughput ${renderSpread(throughput, 2)}${verdict}${cpuPart}`;
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
