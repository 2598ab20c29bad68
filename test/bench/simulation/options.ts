import { parseArgs } from "node:util";
import { type ScenarioOptions, USUAL_SCENARIO } from "./scenario.ts";

/** What the command line can change. */
export interface SimulationOptions {
  readonly scenario: ScenarioOptions;
  /** Loads that all policies are compared at. */
  readonly loads: readonly number[];
  /** Print one JSON object instead of tables. */
  readonly isJson: boolean;
}

export const USAGE = "usage: tsx test/bench/simulation/main.ts [--seed N] [--hours N] [--loads L,…] [--json]";

/** Read the command line. Throws an Error that says what is wrong. */
export function readOptions(args: readonly string[]): SimulationOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: String(USUAL_SCENARIO.seed) },
      hours: { type: "string", default: String(USUAL_SCENARIO.durationMs / 3_600_000) },
      loads: { type: "string", default: "0.45,0.6,0.75" },
      json: { type: "boolean", default: false },
    },
  });
  return {
    scenario: {
      ...USUAL_SCENARIO,
      seed: numberIn("--seed", values.seed, 0, 1e9),
      durationMs: numberIn("--hours", values.hours, 0.1, 100) * 3_600_000,
    },
    loads: values.loads.split(",").map((load) => numberIn("--loads", load, 0.01, 2)),
    isJson: values.json,
  };
}

function numberIn(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!(text.trim() !== "" && value >= min && value <= max)) {
    throw new Error(`${flag}: not a number from ${min} to ${max}: "${text}"`);
  }
  return value;
}
