import { availableParallelism } from "node:os";
import { readBoundedNow } from "../base/bounded-file.ts";
import { systemClock } from "../base/clock.ts";
import { clientAddresses } from "../config/client-addresses.ts";
import { loadConfig } from "../config/load.ts";
import { MAX_WORKERS } from "../config/worker-values.ts";
import type { Command } from "./command.ts";
import { runService } from "./run-service.ts";
import { serveHelp } from "./serve-help.ts";

/** `buildkit-gateway serve`: run the gateway, in one process or in several, until a signal ends it. */
export const serveCommand: Command = {
  name: "serve",
  summary: "Accept BuildKit clients and send each build to one of many replicas.",
  help: serveHelp,
  run(argv, context) {
    const files: Record<string, string> = {};
    const readFile = (path: string, maxBytes: number): Buffer => {
      const content = readBoundedNow(path, maxBytes);
      files[path] = content.toString("latin1");
      return content;
    };
    return runService(loadConfig({ argv, env: context.env, readFile }), context, async (config, log) => {
      const { admin, limits, workers } = config;
      const count = workers === 0 ? Math.min(availableParallelism(), MAX_WORKERS) : workers;
      // Loaded only now, so that help and configuration errors do not wait for it.
      if (count === 1) {
        const { startGateway } = await import("../gateway.ts");
        return startGateway(config, log);
      }
      const { startWorkers } = await import("../workers/start-workers.ts");
      return startWorkers({
        count,
        clock: systemClock,
        log,
        program: [process.argv[1]!, "worker"],
        sources: { argv, files },
        addresses: clientAddresses(config),
        maxConnections: limits.connections,
        admin: { ...admin, showsReplicas: admin.replicaDebugPort !== 0 },
      });
    });
  },
};
