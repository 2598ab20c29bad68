import { readBoundedNow } from "../base/bounded-file.ts";
import { SIDECAR_FLAGS } from "../config/flags.ts";
import { loadSidecarConfig } from "../config/load.ts";
import { SIDECAR_SETTINGS } from "../config/settings.ts";
import { type Command, type CommandContext, type ExitStatusValue, PROGRAM } from "./command.ts";
import { runService } from "./run-service.ts";
import { settingsHelp } from "./settings-help.ts";

/** `buildkit-gateway sidecar`: pass the calls of the clients beside it on to a gateway until a signal ends it. */
export const sidecarCommand: Command = {
  name: "sidecar",
  summary: "Pass the builds of one runner on to a gateway, with who is building.",
  help: () =>
    settingsHelp({
      usage: [
        `Usage: ${PROGRAM} sidecar --upstream tcp://host:port [flags]`,
        "",
        "Listen beside a runner, in the clear, and pass every call on to one gateway: over mutual TLS where",
        "certificates are given, and with the repository, workflow and job that is building. The gateway",
        "believes that of certificates that its identity.trust names.",
      ],
      flags: SIDECAR_FLAGS,
      settings: SIDECAR_SETTINGS,
    }),
  run: (argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> =>
    runService(
      loadSidecarConfig({ argv, env: context.env, readFile: readBoundedNow }),
      context,
      async (config, log) => {
        const { startSidecar } = await import("../sidecar.ts");
        return startSidecar(config, log);
      },
    ),
};
