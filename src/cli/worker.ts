import { dirname } from "node:path";
import { systemClock } from "../base/clock.ts";
import { createLog, setLogLevel } from "../base/log.ts";
import { loadConfig } from "../config/load.ts";
import type { TakeClient } from "../dataplane/switch.ts";
import { removePrivateFolder } from "../workers/private-folder.ts";
import type { WorkerGateway } from "../workers/serve-for-parent.ts";
import type { StartMessage } from "../workers/worker-messages.ts";
import { type Command, type CommandContext, ExitStatus, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { describeStartError } from "./start-error.ts";

const ABOUT = "worker is what serve starts when workers is more than 1; it is of no use by itself";

/** `buildkit-gateway worker`: one of the processes of a `serve` with several; in no list of commands. */
export const workerCommand: Command = {
  name: "worker",
  summary: ABOUT,
  help: () => `${PROGRAM}: ${ABOUT}\n`,
  async run(_argv, context) {
    const { parent, signals, env } = context;
    if (!parent) {
      context.complain(`${PROGRAM}: ${ABOUT}\n`);
      return ExitStatus.USAGE;
    }
    // A terminal and systemd send them to all processes at once, but only the parent knows what is to become of whom.
    for (const signal of ["SIGTERM", "SIGINT", "SIGUSR2"] as const) signals.on(signal, () => {});
    const { serveForParent } = await import("../workers/serve-for-parent.ts");
    let folder: string | undefined;
    return await serveForParent({
      parent,
      clock: systemClock,
      start: (message, openWay) => {
        folder = message.adminPath && dirname(message.adminPath);
        return start(message, env, openWay);
      },
      onOrphaned: () => {
        if (folder !== undefined) removePrivateFolder(folder);
      },
    });
  },
};

async function start(
  { worker, argv, files, adminPath, logLevel }: StartMessage,
  env: CommandContext["env"],
  openWay: (way: number, take: TakeClient) => void,
): Promise<WorkerGateway> {
  const loaded = loadConfig({ argv, env, readFile: (path) => contentOf(files, path) });
  if (loaded.t === "invalid") throw new Error(describeProblems(loaded.problems, "configuration").trimEnd());
  const { config } = loaded;
  const log = createLog(logLevel, undefined, { worker });
  const { startGateway } = await import("../gateway.ts");
  const listen = adminPath === undefined ? ("off" as const) : ({ t: "unix", path: adminPath } as const);
  try {
    const gateway = await startGateway({ ...config, admin: { ...config.admin, listen } }, log, { openWay });
    return {
      drain: (delayMs) => gateway.drain(delayMs),
      stop: () => gateway.stop(),
      setLogLevel: (level) => setLogLevel(log, level),
    };
  } catch (reason) {
    throw new Error(describeStartError(reason), { cause: reason });
  }
}

function contentOf(files: StartMessage["files"], path: string): Buffer {
  const content = files[path];
  if (content === undefined) throw new Error("the parent has not read it");
  return Buffer.from(content, "latin1");
}
