import os from "node:os";
import type { Spread } from "../statistics.ts";
import type { WarmOptions } from "./options.ts";
import type { FrontResult } from "./results.ts";

/** The results as Markdown. */
export function renderWarmReport(options: WarmOptions, results: readonly FrontResult[]): string {
  const { repositories, builds, workers, rounds, seed } = options;
  const lines = [
    `${repositories} repositories, ${builds} builds each, in a shuffled order (seed ${seed}), ${workers} at a time, ` +
      `${rounds} ${rounds === 1 ? "round" : "rounds"} on fresh replicas`,
    `${os.cpus()[0]?.model}, ${os.cpus().length} cores, Linux ${os.release()}, Node ${process.version}`,
    "",
    "| | slow first layer from cache | whole job | median build | failed |",
    "|---|---|---|---|---|",
    ...results.map(renderRow),
    ...results.flatMap(({ name, failures }) => [...new Set(failures)].map((line) => `\n${name}: ${line}`)),
  ];
  return `${lines.join("\n")}\n`;
}

function renderRow({ about, warmShare, warmBuilds, laterBuilds, wallMs, buildMs, failures }: FrontResult): string {
  const share = `${(warmShare * 100).toFixed(0)} % (${warmBuilds} of ${laterBuilds})`;
  const cells = [about, share, seconds(wallMs, 0), `${(buildMs.median / 1_000).toFixed(1)} s`, failures.length];
  return `| ${cells.join(" | ")} |`;
}

function seconds({ median, min, max }: Spread, digits: number): string {
  const text = (ms: number) => (ms / 1_000).toFixed(digits);
  return min === max ? `${text(median)} s` : `${text(median)} s (${text(min)}–${text(max)})`;
}
