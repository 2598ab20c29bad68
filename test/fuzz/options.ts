import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { TARGET_NAMES, type TargetName } from "./fuzz-target.ts";

/** What the command line can change. */
export interface Options {
  /** Of the whole run. */
  readonly minutes: number;
  readonly targets: readonly TargetName[];
  readonly seed: number;
  /** Targets that run at once. */
  readonly jobs: number;
  /** A file with one input to run on the only target, instead of all else. */
  readonly inputFile: string | undefined;
}

export const USAGE = `usage: npm run fuzz -- [--minutes N] [--target NAME,…] [--seed N] [--jobs N]
       npm run fuzz -- --target NAME --input FILE
  targets: ${TARGET_NAMES.join(", ")}`;

/** Read the command line. Throws an Error that says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      target: { type: "string", default: TARGET_NAMES.join(",") },
      seed: { type: "string", default: `${Math.floor(Math.random() * 1e9)}` },
      jobs: { type: "string", default: `${availableParallelism()}` },
      input: { type: "string" },
    },
  });
  const targets = values.target.split(",").map(readTarget);
  if (values.input !== undefined && targets.length !== 1) throw new Error("--input: needs one --target");
  return {
    minutes: inRange("--minutes", values.minutes, 0.01, 10_000),
    targets,
    seed: inRange("--seed", values.seed, 0, 1e9),
    jobs: Math.ceil(inRange("--jobs", values.jobs, 1, 64)),
    inputFile: values.input,
  };
}

function readTarget(text: string): TargetName {
  const name = TARGET_NAMES.find((known) => known === text.trim());
  if (name === undefined)
    throw new Error(`--target: unknown ${JSON.stringify(text)} (known: ${TARGET_NAMES.join(", ")})`);
  return name;
}

function inRange(flag: string, text: string, min: number, max: number): number {
  const number = text === "" ? Number.NaN : Number(text);
  if (number >= min && number <= max) return number;
  throw new Error(`${flag}: not a number from ${min} to ${max}: ${JSON.stringify(text)}`);
}
