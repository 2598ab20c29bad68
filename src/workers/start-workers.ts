import { fork } from "node:child_process";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { AdminServer } from "../admin/admin-server.ts";
import { AdminToken } from "../admin/admin-token.ts";
import type { Address } from "../base/address.ts";
import { blameSetting } from "../base/blame-setting.ts";
import type { Clock } from "../base/clock.ts";
import { CLIENT_SOCKETS, listenOn } from "../base/listen-on.ts";
import { type Logger, type LogLevel, setLogLevel } from "../base/log.ts";
import { Crew } from "./crew.ts";
import { CrewAnswers } from "./crew-answers.ts";
import { makeCrewMetrics } from "./crew-metrics.ts";
import { crewRoutes } from "./crew-routes.ts";
import { CrewStatusReader } from "./crew-status.ts";
import { CrewTotals } from "./crew-totals.ts";
import { makePrivateFolder, removePrivateFolder } from "./private-folder.ts";
import type { StartMessage } from "./worker-messages.ts";
import type { WorkerChild } from "./worker-process.ts";

/** What several workers are started with. */
export interface WorkersOptions {
  /** How many, at least 2. */
  readonly count: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** The program and the arguments that make it a worker, for `fork`. */
  readonly program: readonly [module: string, ...argv: string[]];
  /** What each is to be configured from. */
  readonly sources: Pick<StartMessage, "argv" | "files">;
  /** Where clients connect, with the setting to blame; a worker knows them by their index. */
  readonly addresses: readonly { readonly setting: string; readonly address: Address }[];
  /** Clients that may be connected at once. */
  readonly maxConnections: number;
  readonly admin: {
    readonly listen: Address | "off";
    readonly tokenFile?: string | undefined;
    /** The replicas' own pages are shown. */
    readonly showsReplicas: boolean;
  };
}

/** Workers that serve. */
export interface ServingWorkers {
  readonly listening: readonly Address[];
  readonly admin: Address | undefined;
  /** Resolves with why they cannot go on. */
  readonly failed: Promise<Error>;
  /** The level of the log has been changed. */
  logLevelChanged(level: LogLevel): void;
  /** As a gateway's. Rejects where a worker ended before its builds had. */
  drain(delayMs: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Start several gateways in processes of their own and accept clients for them, each for the one that has least to do.
 *
 * Rejects, with everything closed again, with what keeps one from starting, or an address from being listened on.
 */
export async function startWorkers(options: WorkersOptions): Promise<ServingWorkers> {
  const { clock, log, admin, addresses } = options;
  const folder = admin.listen === "off" ? undefined : makePrivateFolder();
  const totals = new CrewTotals();
  const crew = makeCrew(options, folder, totals);
  const adminServer = new AdminServer({
    routes: folder === undefined ? {} : routesOf(options, crew, totals, folder),
    log,
  });
  const listeners: Server[] = [];
  const closeListeners = () => {
    for (const listener of listeners.splice(0)) listener.close();
  };
  const stop = async (): Promise<void> => {
    closeListeners();
    await Promise.all([crew.stop(), adminServer.close()]);
    if (folder !== undefined) removePrivateFolder(folder);
  };
  try {
    if (admin.tokenFile !== undefined) await new AdminToken(admin.tokenFile).read();
    await crew.start();
    const { listen } = admin;
    const adminAddress =
      listen === "off" ? undefined : await blameSetting("admin.listen", () => adminServer.listen(listen));
    const listening: Address[] = [];
    for (const [way, { setting, address }] of addresses.entries()) {
      const listener = createServer(CLIENT_SOCKETS, (socket) => {
        // One that is not read can still fail.
        socket.on("error", (err) => log.debug({ err }, "client socket failed"));
        crew.take({ way, socket });
      });
      listeners.push(listener);
      const onError = (err: Error) => log.error({ err }, "listener failed");
      listening.push(await blameSetting(setting, () => listenOn(listener, address, onError)));
    }
    return {
      listening,
      admin: adminAddress,
      failed: crew.failed,
      logLevelChanged: (level) => crew.setLogLevel(level),
      async drain(delayMs) {
        const cancel = clock.after(delayMs, closeListeners);
        try {
          await crew.drain(delayMs);
        } finally {
          cancel();
        }
      },
      stop,
    };
  } catch (error) {
    crew.kill();
    await stop();
    throw error;
  }
}

function makeCrew(
  { count, clock, log, program, sources, maxConnections }: WorkersOptions,
  folder: string | undefined,
  totals: CrewTotals,
): Crew {
  const [module, ...argv] = program;
  return new Crew({
    count,
    clock,
    log,
    maxConnections,
    // What a worker logs goes where ours does; it has nothing else to say.
    fork: () => fork(module, argv, { stdio: ["ignore", "ignore", "inherit", "ipc"] }) as WorkerChild,
    startMessage: (worker, life) => ({
      t: "start",
      worker,
      ...sources,
      ...(folder !== undefined && { adminPath: adminPath(folder, life) }),
      logLevel: log.level as LogLevel,
    }),
    onEnded: (life) => totals.ended(life),
  });
}

function routesOf({ clock, log, admin }: WorkersOptions, crew: Crew, totals: CrewTotals, folder: string) {
  const answers = new CrewAnswers(() =>
    crew.members.map(({ worker, life }) => ({ worker, life, path: adminPath(folder, life) })),
  );
  const registry = makeCrewMetrics(crew);
  const workers = () =>
    crew.members.map(({ worker, process: { pid, open, busy } }) => ({ worker, pid, connections: open, busy }));
  const { tokenFile, showsReplicas } = admin;
  return crewRoutes({
    clock,
    answers,
    status: new CrewStatusReader(answers, {
      startedAt: clock.wallTime(),
      refused: () => crew.refused,
      overLimit: () => crew.overLimit,
      workers,
    }),
    totals,
    ownMetrics: () => registry.metrics(),
    metricsType: registry.contentType,
    log: {
      level: () => log.level,
      setLevel: (level) => {
        setLogLevel(log, level);
        crew.setLogLevel(level);
      },
    },
    token: tokenFile === undefined ? undefined : new AdminToken(tokenFile),
    showsReplicas,
  });
}

function adminPath(folder: string, life: number): string {
  return join(folder, `${life}.sock`);
}
