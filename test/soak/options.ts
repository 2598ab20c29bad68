import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

/** What the command line can change. */
export interface SoakOptions {
  /** Time under load; bringing up and winding down come on top. */
  readonly minutes: number;
  /** Decides what every client does, and the order of disturbances. */
  readonly seed: number;
  /** buildx clients at a time. */
  readonly workers: number;
  /** Print one JSON object instead of tables. */
  readonly isJson: boolean;
  /** Where the gateway's log goes at the end. Absent: nowhere. */
  readonly logFile: string | undefined;
}

export const USAGE = "usage: npm run soak -- [--minutes N] [--seed N] [--workers N] [--json] [--log FILE]";

const MOST_MINUTES = 7 * 24 * 60;

/** Read the command line. Throws an Error that says what is wrong. */
export function readSoakOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: String(randomInt(2 ** 31)) },
      workers: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      log: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 1 && minutes <= MOST_MINUTES)) {
    throw new Error(`--minutes: not a number from 1 to ${MOST_MINUTES}: "${values.minutes}"`);
  }
  return {
    minutes,
    seed: wholeNumber("--seed", values.seed, 2 ** 31),
    workers: wholeNumber("--workers", values.workers, 20),
    isJson: values.json,
    logFile: values.log,
  };
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`${flag}: not a number up to ${most}: "${text}"`);
}
