import { formatProblem, type Problem } from "../config/problem.ts";
import { PROGRAM } from "./command.ts";

/** What is wrong: one line, or one for each problem below their number. `subject`: `configuration`. */
export function describeProblems(problems: readonly Problem[], subject: string): string {
  const lines = problems.map(formatProblem);
  if (lines.length === 1) return `${PROGRAM}: ${lines[0]}\n`;
  return `${PROGRAM}: ${lines.length} things are wrong with the ${subject}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
