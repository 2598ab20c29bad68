import { counted } from "../base/counted.ts";
import { type Finding, type Outcome, type Section, worstOf } from "../doctor/finding.ts";
import { wrap } from "./wrap.ts";

/** How a report is written for people. */
export interface ReportStyle {
  /** Widest line, in characters. */
  readonly columns: number;
  readonly hasColours: boolean;
}

const TITLES: Readonly<Record<Section, string>> = {
  address: "The way to BuildKit",
  admin: "The gateway, by its admin port",
  cluster: "The cluster",
  registries: "Registries",
  clock: "The clock",
};

const WORDS = { ok: "ok", warning: "warning", failure: "FAILED", skipped: "skipped" } as const;

/** ANSI SGR: green, yellow, red, faint (ECMA-48 section 8.3.117). */
const COLOURS = { ok: 32, warning: 33, failure: 31, skipped: 2 } as const;

const RESULT_COLUMNS = "skipped".length;

/** Names of checks that are longer do not widen the column of all. */
const MAX_CHECK_COLUMNS = 28;

/** Room for a text; a terminal that is narrower breaks lines itself. */
const MIN_TEXT_COLUMNS = 24;

/** For people: a line for each check, what to do below those that need something. */
export function describeFindings(findings: readonly Finding[], { columns, hasColours }: ReportStyle): string {
  const checkColumns = Math.min(MAX_CHECK_COLUMNS, Math.max(...findings.map(({ check }) => check.length)));
  const indent = " ".repeat(2 + RESULT_COLUMNS + 2 + checkColumns + 2);
  const width = Math.max(MIN_TEXT_COLUMNS, columns - indent.length);
  const lines: string[] = [];
  let section: Section | undefined;
  for (const finding of findings) {
    const { outcome, check } = finding;
    if (finding.section !== section) lines.push(...(section === undefined ? [] : [""]), TITLES[finding.section]);
    section = finding.section;
    const word = WORDS[outcome.t].padEnd(RESULT_COLUMNS);
    const coloured = hasColours ? `\u001b[${COLOURS[outcome.t]}m${word}\u001b[0m` : word;
    const head = `  ${coloured}  ${check.padEnd(checkColumns)}  `;
    const [first = "", ...rest] = wrap(outcome.seen, width);
    if (check.length > checkColumns) lines.push(head.trimEnd(), `${indent}${first}`);
    else lines.push(head + first);
    lines.push(...rest.map((line) => indent + line));
    if ("fix" in outcome) lines.push(...wrap(`to do: ${outcome.fix}`, width).map((line) => indent + line));
    if (outcome.t === "failure" && outcome.manifest !== undefined) {
      // Not indented further than YAML allows to be taken as it stands.
      lines.push(
        ...outcome.manifest
          .trimEnd()
          .split("\n")
          .map((line) => `    ${line}`),
      );
    }
  }
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n\n${summary(findings)}\n`;
}

/** For machines (docs/doctor.md). */
export function findingsJson(findings: readonly Finding[], program: string): string {
  const checks = findings.map(({ section, check, outcome }) => ({
    section,
    check,
    result: outcome.t,
    seen: outcome.seen,
    ...("fix" in outcome && { fix: outcome.fix }),
    ...(outcome.t === "failure" && outcome.manifest !== undefined && { manifest: outcome.manifest }),
  }));
  return `${JSON.stringify({ schema: 1, program, result: worstOf(findings), checks }, null, 2)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const numberOf = (t: Outcome["t"]) => findings.filter(({ outcome }) => outcome.t === t).length;
  const warnings = counted(numberOf("warning"), "warning");
  return `${numberOf("ok")} ok, ${warnings}, ${numberOf("failure")} failed, ${numberOf("skipped")} skipped`;
}
