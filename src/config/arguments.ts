import { parseArgs } from "node:util";
import { suggestion } from "./closest.ts";
import type { Problem } from "./problem.ts";

/** What was given on a command line. */
export interface Arguments {
  /** The values of each flag, in the order given; a flag's name has its dashes. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** What stands there without a flag, in the order given. */
  readonly operands: readonly string[];
  readonly problems: readonly Problem[];
}

/** A flag that a command knows. */
export interface KnownFlag {
  /** With its dashes. */
  readonly flag: string;
  readonly isRepeatable: boolean;
  /** It takes no value; when given, its value is the empty text. Default false. */
  readonly isSwitch?: boolean;
}

/**
 * Split a command line into operands and flags with their values: `--flag value`
 * or `--flag=value`. Never throws. More than `maxOperands`, by default 0, are
 * problems.
 */
export function readArguments(argv: readonly string[], flags: readonly KnownFlag[], maxOperands = 0): Arguments {
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      flags.map(({ flag, isSwitch }) => [flag.slice(2), { type: isSwitch ? "boolean" : "string", multiple: true }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const problems: Problem[] = [];
  // What comes after a flag that was not understood is most likely its value, and not a fault of its own.
  let isFollowUp = false;
  for (const token of tokens) {
    if (token.kind === "positional" && !isFollowUp) {
      if (operands.length < maxOperands) operands.push(token.value);
      else problems.push({ subject: "", message: `unexpected argument: ${JSON.stringify(token.value)}` });
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
    } else if (known.isSwitch && token.value !== undefined) {
      problems.push({ subject: known.flag, message: "takes no value" });
    } else if (!known.isSwitch && isMissing) {
      problems.push({ subject: known.flag, message: "needs a value" });
      isFollowUp = true;
    } else if (values.has(known.flag) && !known.isRepeatable) {
      problems.push({ subject: known.flag, message: "is given twice" });
    } else {
      values.set(known.flag, [...(values.get(known.flag) ?? []), token.value ?? ""]);
    }
  }
  return { values, operands, problems };
}
