import type { Address } from "../base/address.ts";
import { systemClock } from "../base/clock.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { askAdmin, formatAdmin } from "./admin-client.ts";
import { adminFlag, adminHelp, adminTargets } from "./admin-flags.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";
import { describeStatus, statusSchema } from "./status-report.ts";
import { type Follower, watchUntilSignal } from "./watch-until-signal.ts";

/** `buildkit-gateway status`: what a gateway and its replicas do. */
export const statusCommand: Command = {
  name: "status",
  summary: "Show what runs where, what waits and why, and what has failed.",
  help: statusHelp,
  run: status,
};

const FLAGS: readonly KnownFlag[] = [
  { flag: "--json", isRepeatable: false, isSwitch: true },
  { flag: "--watch", isRepeatable: false, isSwitch: true },
  adminFlag(false),
];

const ANSWER_TIMEOUT_MS = 5_000;

/** Between two looks. */
const INTERVAL_MS = 2_000;

/** A screen of its own, without a cursor, and back again (xterm, "Private modes" 1049 and 25). */
const OPEN_SCREEN = "\u001b[?1049h\u001b[?25l";
const CLOSE_SCREEN = "\u001b[?25h\u001b[?1049l";

/** To the upper left corner; then each line is cleared to its end as it is written, and what is below it. */
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

async function status(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { targets, problems: targetFaults } = adminTargets(values, context.env);
  const problems = [...faults, ...targetFaults];
  if (values.has("--json") && values.has("--watch"))
    problems.push({ subject: "--json", message: "stands beside --watch" });
  const [target] = targets;
  if (target === undefined || problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  if (values.has("--watch")) return await watch(target, context);
  try {
    context.print(await read(target, context, values.has("--json")));
    return ExitStatus.OK;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${formatAdmin(target)}: ${(reason as Error).message}\n`);
    return ExitStatus.FAILED;
  }
}

/** Rejects with an Error of one line. */
async function read(target: Address, { env, terminal }: CommandContext, asJson: boolean): Promise<string> {
  const question = { method: "GET", path: "/status", timeoutMs: ANSWER_TIMEOUT_MS };
  const { status: code, body } = await askAdmin(target, question, systemClock);
  const answer = statusSchema.safeParse(body);
  if (code !== 200 || !answer.success) throw new Error(`not an answer of a gateway's admin port: ${code}`);
  if (asJson) return `${JSON.stringify(body, null, 2)}\n`;
  // An empty NO_COLOR counts as none (no-color.org).
  return describeStatus(answer.data, {
    columns: terminal?.columns,
    hasColours: terminal !== undefined && !env.NO_COLOR,
  });
}

async function watch(target: Address, context: CommandContext): Promise<ExitStatusValue> {
  const { print, terminal } = context;
  const each: Follower = async (onChange) => {
    let cancel = () => {};
    const later = (): void => {
      cancel = systemClock.after(INTERVAL_MS, () => void onChange().then(later));
    };
    later();
    return () => cancel();
  };
  const look = async (): Promise<void> => {
    const shown = await read(target, context, false).catch(
      ({ message }: Error) => `${formatAdmin(target)}: ${message}\n`,
    );
    if (!terminal) print(`${shown}\n`);
    else print(`${HOME}${fit(shown, terminal.rows).replaceAll("\n", `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`);
  };
  if (terminal) print(OPEN_SCREEN);
  try {
    return await watchUntilSignal([each], look, context);
  } finally {
    if (terminal) print(CLOSE_SCREEN);
  }
}

/** What is more than a screen's rows is left out, since its beginning would scroll away. The last row is the cursor's. */
function fit(text: string, rows: number): string {
  const lines = text.trimEnd().split("\n");
  const room = Math.max(2, rows - 1);
  if (lines.length <= room) return text;
  const shown = lines.slice(0, room - 1);
  return [...shown, `… ${lines.length - shown.length} more lines: status without --watch, or the page`, ""].join("\n");
}

function statusHelp(): string {
  return [
    `Usage: ${PROGRAM} status [--json | --watch] [--admin HOST:PORT]`,
    "",
    "Show what a gateway and its replicas do: builds and where they run, the queue, what has failed.",
    "The same as a page: the admin port's /.",
    "",
    "Flags:",
    helpRows([
      { term: "--json", lines: ["Print all that the gateway tells, as JSON."] },
      { term: "--watch", lines: ["Look again every 2 s, in place, until Ctrl-C."] },
      adminHelp(false),
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Exit status: 0 shown; 1 no answer; 2 wrong command line.",
    "",
  ].join("\n");
}
