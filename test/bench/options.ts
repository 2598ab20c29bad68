import { parseArgs } from "node:util";
import { MEASURE_NAMES, type MeasureName, type UnaryShape } from "./measures.ts";
import { TARGET_NAMES, type TargetName } from "./targets/target.ts";

/** What the command line can change. */
export interface BenchOptions {
  readonly measures: readonly MeasureName[];
  readonly targets: readonly TargetName[];
  /** How often each target has its turn. */
  readonly rounds: number;
  /** Length of one measurement, without its warm-up. */
  readonly seconds: number;
  /** Default: 16 connections with 4 calls each, as of 16 clients in the middle of builds. */
  readonly unary: UnaryShape;
  /** Print one JSON object instead of tables. */
  readonly isJson: boolean;
  /** Where a chart is written to, as SVG. */
  readonly chartFile: string | undefined;
  /** Keep the proxy on the last core and generator and replica on the others. */
  readonly isPinned: boolean;
}

export const USAGE = `usage: npm run bench -- [--only MEASURE,…] [--targets TARGET,…] [--rounds N] [--seconds N]
         [--connections N] [--concurrency N] [--no-pin] [--json] [--chart FILE.svg]
  measures: ${MEASURE_NAMES.join(", ")}
  targets:  ${TARGET_NAMES.join(", ")}`;

/** Read the command line. Throws an Error that says what is wrong. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: MEASURE_NAMES.join(",") },
      targets: { type: "string", default: TARGET_NAMES.join(",") },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "1" },
      connections: { type: "string", default: "16" },
      concurrency: { type: "string", default: "4" },
      "no-pin": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      chart: { type: "string" },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 60)) throw new Error(`--seconds: not a length up to 60: "${values.seconds}"`);
  return {
    measures: chosen("--only", values.only, MEASURE_NAMES),
    targets: chosen("--targets", values.targets, TARGET_NAMES),
    rounds: wholeNumber("--rounds", values.rounds),
    seconds,
    unary: {
      connections: wholeNumber("--connections", values.connections),
      concurrency: wholeNumber("--concurrency", values.concurrency),
    },
    isJson: values.json,
    chartFile: values.chart,
    isPinned: !values["no-pin"],
  };
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1_000)
    throw new Error(`${flag}: not a number up to 1000: "${text}"`);
  return value;
}

/** The named ones, in the report's order. */
function chosen<N extends string>(flag: string, list: string, all: readonly N[]): N[] {
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !all.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`${flag}: unknown "${unknown}" (known: ${all.join(", ")})`);
  return all.filter((name) => names.includes(name));
}
