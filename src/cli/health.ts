import { systemClock } from "../base/clock.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { askAdminText, firstLine, formatAdmin } from "./admin-client.ts";
import { adminFlag, adminHelp, adminTargets } from "./admin-flags.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";

/** `buildkit-gateway health`: what a probe would hear, for those that can run a command but speak no HTTP. */
export const healthCommand: Command = {
  name: "health",
  summary: "Ask a gateway whether it takes new builds, or with --live whether it serves.",
  help: healthHelp,
  run: health,
};

const LIVE = "--live";

const FLAGS: readonly KnownFlag[] = [{ flag: LIVE, isRepeatable: false, isSwitch: true }, adminFlag(false)];

/** With the start of the program it stays under 3 s, as a probe of the image expects. */
const ANSWER_TIMEOUT_MS = 2_000;

async function health(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { targets, problems: targetFaults } = adminTargets(values, context.env);
  const problems = [...faults, ...targetFaults];
  const [target] = targets;
  if (target === undefined || problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const path = values.has(LIVE) ? "/healthz" : "/readyz";
  try {
    const question = { method: "GET", path, timeoutMs: ANSWER_TIMEOUT_MS };
    const { status, text } = await askAdminText(target, question, systemClock);
    const said = firstLine(text);
    if (status === 200) {
      context.print(`${said}\n`);
      return ExitStatus.OK;
    }
    throw new Error(status === 503 ? said : `not an answer of a gateway's admin port: ${status} ${said}`);
  } catch (reason) {
    context.complain(`${PROGRAM}: ${formatAdmin(target)}: ${(reason as Error).message}\n`);
    return ExitStatus.FAILED;
  }
}

function healthHelp(): string {
  return [
    `Usage: ${PROGRAM} health [--live] [flags]`,
    "",
    "Ask the admin port of a gateway for /readyz, or with --live for /healthz, and print what it says.",
    "It is the health check of the image.",
    "",
    "Flags:",
    helpRows([
      { term: LIVE, lines: ["Ask only whether the process serves. A gateway that drains, or is full, does."] },
      adminHelp(false),
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Exit status: 0 it is well; 1 it is not, or said nothing within 2 s; 2 wrong command line.",
    "",
  ].join("\n");
}
