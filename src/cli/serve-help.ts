import { SETTING_FLAGS } from "../config/flags.ts";
import { SETTINGS } from "../config/settings.ts";
import { PROGRAM } from "./command.ts";
import { settingsHelp } from "./settings-help.ts";

/** The help of `serve`. */
export function serveHelp(): string {
  return settingsHelp({
    usage: [
      `Usage: ${PROGRAM} serve --replica tcp://host:port [--replica …] [flags]`,
      `       ${PROGRAM} serve --replicas-dns NAME[:PORT] [flags]`,
      `       ${PROGRAM} serve --replicas-service [NAMESPACE/]SERVICE[:PORT] [flags]`,
      `       ${PROGRAM} serve --config FILE [flags]`,
      "",
      "Accept BuildKit clients (buildx, buildctl) on one address and send each build to one of many",
      "replicas, if it can to one that has its cache. Several fleets (pools) are for the file alone.",
    ],
    flags: SETTING_FLAGS,
    settings: SETTINGS,
  });
}
