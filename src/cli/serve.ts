import { readBoundedNow } from "../base/bounded-file.ts";
import { loadConfig } from "../config/load.ts";
import type { Command } from "./command.ts";
import { runService } from "./run-service.ts";
import { serveHelp } from "./serve-help.ts";

/** `buildkit-gateway serve`: run the gateway until a signal ends it. */
export const serveCommand: Command = {
  name: "serve",
  summary: "Accept BuildKit clients and send each build to one of many replicas.",
  help: serveHelp,
  run: (argv, context) =>
    runService(loadConfig({ argv, env: context.env, readFile: readBoundedNow }), context, async (config, log) => {
      // Loaded only now, so that help and configuration errors do not wait for it.
      const { startGateway } = await import("../gateway.ts");
      return startGateway(config, log);
    }),
};
