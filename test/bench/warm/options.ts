import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { FRONT_NAMES, type FrontName } from "./front.ts";

/** What the command line can change. */
export interface WarmOptions {
  readonly repositories: number;
  /** Builds of each repository. */
  readonly builds: number;
  /** Builds that run at the same time, each of another repository. */
  readonly workers: number;
  /** How often each front does the whole job. */
  readonly rounds: number;
  readonly replicas: number;
  /** Decides the order of the builds, which is the same for all fronts. */
  readonly seed: number;
  readonly fronts: readonly FrontName[];
  /** Print one JSON object instead of a table. */
  readonly isJson: boolean;
}

export const USAGE = `usage: npm run bench:warm -- [--repositories N] [--builds N] [--workers N] [--rounds N]
         [--replicas N] [--seed N] [--fronts FRONT,…] [--json]
  fronts: ${FRONT_NAMES.join(", ")}`;

/** Read the command line. Throws an Error that says what is wrong. */
export function readWarmOptions(args: readonly string[]): WarmOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      repositories: { type: "string", default: "10" },
      builds: { type: "string", default: "10" },
      workers: { type: "string", default: "3" },
      rounds: { type: "string", default: "2" },
      replicas: { type: "string", default: "3" },
      seed: { type: "string", default: String(randomInt(2 ** 31)) },
      fronts: { type: "string", default: FRONT_NAMES.join(",") },
      json: { type: "boolean", default: false },
    },
  });
  const chosen = values.fronts.split(",").map((name) => name.trim());
  const unknown = chosen.find((name) => !FRONT_NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`--fronts: unknown "${unknown}" (known: ${FRONT_NAMES.join(", ")})`);
  return {
    repositories: wholeNumber("--repositories", values.repositories, 100),
    builds: wholeNumber("--builds", values.builds, 100),
    workers: wholeNumber("--workers", values.workers, 20),
    rounds: wholeNumber("--rounds", values.rounds, 20),
    replicas: wholeNumber("--replicas", values.replicas, 10),
    seed: wholeNumber("--seed", values.seed, 2 ** 31),
    fronts: FRONT_NAMES.filter((name) => chosen.includes(name)),
    isJson: values.json,
  };
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`${flag}: not a number up to ${most}: "${text}"`);
}
