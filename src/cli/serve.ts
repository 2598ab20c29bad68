import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/log.ts";
import { readBoundedFile } from "../config/bounded-file.ts";
import { loadConfig } from "../config/load.ts";
import { formatProblem, type Problem } from "../config/problem.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { serveHelp } from "./serve-help.ts";
import { serveUntilSignal } from "./serve-until-signal.ts";
import { describeStartError } from "./start-error.ts";

/** `buildkit-gateway serve`: run the gateway until a signal ends it. */
export const serveCommand: Command = {
  name: "serve",
  summary: "Accept BuildKit clients and send each build to one of many replicas.",
  help: serveHelp,
  run: serve,
};

async function serve(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const loaded = loadConfig({ argv, env: context.env, readFile: readBoundedFile });
  if (loaded.t === "invalid") {
    context.complain(describeProblems(loaded.problems));
    return ExitStatus.USAGE;
  }
  const log = createLog(loaded.config.log.level);
  // Loaded only now, so that help and configuration errors do not wait for it.
  const { startGateway } = await import("../gateway.ts");
  try {
    return await serveUntilSignal(() => startGateway(loaded.config, log), context.signals, systemClock, log);
  } catch (reason) {
    log.debug({ err: reason }, "serving failed");
    context.complain(`${PROGRAM}: ${describeStartError(reason)}\n`);
    return ExitStatus.FAILED;
  }
}

function describeProblems(problems: readonly Problem[]): string {
  const lines = problems.map(formatProblem);
  if (lines.length === 1) return `${PROGRAM}: ${lines[0]}\n`;
  return `${PROGRAM}: ${lines.length} things are wrong with the configuration\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
