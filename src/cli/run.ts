import { programVersion } from "../base/program-version.ts";
import { suggestion } from "../config/closest.ts";
import { certsCommand } from "./certs.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { doctorCommand } from "./doctor.ts";
import { drainCommand } from "./drain.ts";
import { explainCommand } from "./explain.ts";
import { healthCommand } from "./health.ts";
import { programHelp } from "./help.ts";
import { policyCommand } from "./policy.ts";
import { serveCommand } from "./serve.ts";
import { sidecarCommand } from "./sidecar.ts";
import { statusCommand } from "./status.ts";
import { trustCommand } from "./trust.ts";
import { workerCommand } from "./worker.ts";

const COMMANDS = [
  serveCommand,
  sidecarCommand,
  statusCommand,
  drainCommand,
  explainCommand,
  healthCommand,
  doctorCommand,
  policyCommand,
  trustCommand,
  certsCommand,
];

/** Run the program with the arguments after its own name; resolves with the exit status. */
export async function runCommandLine(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    return refuse(context, `no command given (run ${PROGRAM} serve --replica tcp://host:port, or ${PROGRAM} --help)`);
  }
  if (first === "--version") {
    context.print(`${PROGRAM} ${programVersion()}\n`);
    return ExitStatus.OK;
  }
  const isHelp = first === "help" || isHelpFlag(first);
  const name = isHelp ? rest[0] : first;
  if (name === undefined) {
    context.print(programHelp(COMMANDS));
    return ExitStatus.OK;
  }
  const command = [...COMMANDS, workerCommand].find((known) => known.name === name);
  if (!command) return refuse(context, describeUnknown(name));
  if (isHelp || rest.some(isHelpFlag)) {
    context.print(command.help());
    return ExitStatus.OK;
  }
  return command.run(rest, context);
}

function isHelpFlag(argument: string): boolean {
  return argument === "--help" || argument === "-h";
}

function describeUnknown(name: string): string {
  const names = COMMANDS.map((command) => command.name);
  if (!name.startsWith("-")) {
    return `unknown command: ${JSON.stringify(name)}${suggestion(name, names) || ` (commands: ${names.join(", ")})`}`;
  }
  const programFlag = suggestion(name, ["--help", "--version"]);
  return `unknown flag: ${name}${programFlag || ` (flags follow a command: ${PROGRAM} serve ${name} …)`}`;
}

function refuse(context: CommandContext, message: string): ExitStatusValue {
  context.complain(`${PROGRAM}: ${message}\n`);
  return ExitStatus.USAGE;
}
