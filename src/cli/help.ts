import { type Command, PROGRAM } from "./command.ts";
import { wrap } from "./wrap.ts";

/** Widest line of a help text. */
const WIDTH = 100;

/** A row of a help text. */
export interface HelpRow {
  readonly term: string;
  readonly lines: readonly string[];
}

/** The help of the whole program. */
export function programHelp(commands: readonly Command[]): string {
  return [
    `Usage: ${PROGRAM} COMMAND [flags]`,
    "",
    "One address in front of many BuildKit replicas: a build goes where its cache is warm, if it can.",
    "",
    "Commands:",
    helpRows(commands.map(({ name, summary }) => ({ term: name, lines: [summary] }))),
    "",
    "Flags:",
    helpRows([
      { term: "--help", lines: ["Show this help, or that of a command."] },
      { term: "--version", lines: ["Show the version."] },
    ]),
    "",
    `Run "${PROGRAM} COMMAND --help" for a command's flags.`,
    "",
  ].join("\n");
}

/** Terms on the left, their texts wrapped in one column on the right. */
export function helpRows(rows: readonly HelpRow[]): string {
  const column = Math.max(...rows.map(({ term }) => term.length)) + 4;
  return rows
    .flatMap(({ term, lines }) => {
      const wrapped = lines.flatMap((line) => wrap(line, WIDTH - column));
      return wrapped.map((line, index) => `${(index === 0 ? `  ${term}` : "").padEnd(column)}${line}`);
    })
    .join("\n");
}
