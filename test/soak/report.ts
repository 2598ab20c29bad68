import { highest, type Verdict } from "./checks.ts";
import type { SoakOptions } from "./options.ts";
import type { Sample } from "./sampler.ts";
import type { Evidence } from "./soak.ts";

/** What is shown of the samples, and how it is written. */
const SHOWN: readonly {
  readonly name: keyof Sample;
  readonly title: string;
  readonly write: (value: number) => string;
}[] = [
  { name: "heapBytes", title: "heap used, MiB", write: mib },
  { name: "residentBytes", title: "resident, MiB", write: mib },
  { name: "externalBytes", title: "external, MiB", write: mib },
  { name: "descriptors", title: "descriptors", write: String },
  { name: "connections", title: "connections", write: String },
  { name: "calls", title: "open calls", write: String },
  { name: "running", title: "builds running", write: String },
  { name: "queued", title: "builds queued", write: String },
  { name: "remembered", title: "refs remembered", write: String },
  { name: "eventLoopP99Ms", title: "event loop p99, ms", write: (value) => value.toFixed(1) },
];

const BARS = "▁▂▃▄▅▆▇█";

const CHART_WIDTH = 48;

/** The run as text for people. */
export function renderSoakReport(
  { minutes, seed, workers }: SoakOptions,
  evidence: Evidence,
  verdict: Verdict,
): string {
  const { before, samples, after, synthetic, questions, disturbances, builds, givenUp, log } = evidence;
  const done = Object.entries(disturbances.counts).map(([kind, count]) => `${kind} ${count}`);
  const rows = SHOWN.map(({ name, title, write }) => [
    title,
    write(before[name]),
    write(highest(samples, name)),
    write(after[name]),
    chart(samples.map((sample) => sample[name])),
  ]);
  const lines = [
    `${minutes} min, ${workers} buildx clients, seed ${seed} (--seed ${seed} repeats the decisions, not the moments)`,
    `builds        ${builds.length - givenUp} commands, and ${givenUp} given up beforehand; ended: ${list(verdict.audit.outcomes)}`,
    `other calls   ${list({ ...synthetic })}; ${questions.length} questions of buildx's`,
    `disturbances  ${done.join(", ")}`,
    `warnings      ${list(countWarnings(log))}`,
    "",
    ...alignColumns([["", "before", "most", "after", "course"], ...rows]),
    "",
    ...verdict.checks.map(
      ({ name, isGood, found }) => `${isGood ? "ok  " : "FAIL"}  ${name}: ${found.replaceAll("\n", "\n        ")}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function countWarnings(log: Evidence["log"]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { msg, level } of log) if (level >= 40) counts[msg] = (counts[msg] ?? 0) + 1;
  return counts;
}

/** The course of a value, from nothing to the most, in one line. */
function chart(values: readonly number[]): string {
  const most = Math.max(...values, 1);
  const width = Math.min(CHART_WIDTH, values.length);
  return Array.from({ length: width }, (_, column) => {
    const part = values.slice(
      Math.floor((column * values.length) / width),
      Math.floor(((column + 1) * values.length) / width),
    );
    const mean = part.reduce((sum, value) => sum + value, 0) / part.length;
    return BARS[Math.min(BARS.length - 1, Math.floor((mean / most) * BARS.length))];
  }).join("");
}

function list(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none"
  );
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]!) : column === 4 ? cell : cell.padStart(widths[column]!),
      )
      .join("  "),
  );
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
