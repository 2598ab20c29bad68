import { parseArgs } from "node:util";
import { suggestion } from "./closest.ts";
import type { Problem } from "./problem.ts";

/** What was given on a command line. */
export interface Arguments {
  /** The values of each flag, in the order given; a flag's name has its dashes. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly Problem[];
}

/** A flag that takes a value. */
export interface ValueFlag {
  /** With its dashes. */
  readonly flag: string;
  readonly isRepeatable: boolean;
}

/** Split a command line into flags and their values: `--flag value` or `--flag=value`. Never throws. */
export function readArguments(argv: readonly string[], flags: readonly ValueFlag[]): Arguments {
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(flags.map(({ flag }) => [flag.slice(2), { type: "string" as const, multiple: true }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const problems: Problem[] = [];
  // What comes after a flag that was not understood is most likely its value, and not a fault of its own.
  let isFollowUp = false;
  for (const token of tokens) {
    if (token.kind === "positional" && !isFollowUp) {
      problems.push({ subject: "", message: `unexpected argument: ${JSON.stringify(token.value)}` });
    }
    isFollowUp = false;
    if (token.kind !== "option") continue;
    const known = flags.find(({ flag }) => flag === token.rawName);
    const isMissing =
      token.value === undefined || token.value === "" || (!token.inlineValue && token.value.startsWith("-"));
    if (!known) {
      const hint = suggestion(
        token.rawName,
        flags.map(({ flag }) => flag),
      );
      problems.push({ subject: token.rawName, message: `unknown flag${hint}` });
      isFollowUp = !token.inlineValue;
    } else if (isMissing) {
      problems.push({ subject: known.flag, message: "needs a value" });
      isFollowUp = true;
    } else if (values.has(known.flag) && !known.isRepeatable) {
      problems.push({ subject: known.flag, message: "is given twice" });
    } else {
      values.set(known.flag, [...(values.get(known.flag) ?? []), token.value]);
    }
  }
  return { values, problems };
}
