import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/log.ts";
import { readBoundedFile } from "../config/bounded-file.ts";
import { loadConfig } from "../config/load.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { serveHelp } from "./serve-help.ts";
import { type Served, serveUntilSignal } from "./serve-until-signal.ts";
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
    context.complain(describeProblems(loaded.problems, "configuration"));
    return ExitStatus.USAGE;
  }
  const log = createLog(loaded.config.log.level);
  // Loaded only now, so that help and configuration errors do not wait for it.
  const { startGateway } = await import("../gateway.ts");
  const start = async (): Promise<Served> => {
    const gateway = await startGateway(loaded.config, log);
    // Who presses Ctrl-C is no load balancer.
    const delayMs = (signal: NodeJS.Signals) => (signal === "SIGINT" ? 0 : loaded.config.drain.delay);
    return { ...gateway, drain: (signal) => gateway.drain(delayMs(signal)) };
  };
  try {
    return await serveUntilSignal(start, context.signals, systemClock, log);
  } catch (reason) {
    log.debug({ err: reason }, "serving failed");
    context.complain(`${PROGRAM}: ${describeStartError(reason)}\n`);
    return ExitStatus.FAILED;
  }
}
