import { type Backoff, backoffDelayMs } from "../base/backoff.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import { Deferred } from "../base/deferred.ts";
import type { Logger, LogLevel } from "../base/log.ts";
import { LimitReports } from "../dataplane/limit-reports.ts";
import { leastLoaded } from "./worker-choice.ts";
import type { StartMessage } from "./worker-messages.ts";
import { type WaitingClient, type WorkerChild, type WorkerExit, WorkerProcess } from "./worker-process.ts";

/** What a crew is made of. */
export interface CrewOptions {
  readonly count: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Clients that may be connected at once, to all of them together. */
  readonly maxConnections: number;
  /** Start a process; it has heard nothing yet. */
  readonly fork: () => WorkerChild;
  /** What worker number `worker` is told first. `life` is 1 for the first process that is started, 2 for the next. */
  readonly startMessage: (worker: number, life: number) => StartMessage;
  /** A process has ended: what it told of itself is all there will be. */
  readonly onEnded?: (life: number) => void;
}

/** A worker as others see it. */
export interface CrewMember {
  /** From 1 on. Who takes the place of one that died has its number. */
  readonly worker: number;
  /** Which of all processes that have been started it is. */
  readonly life: number;
  readonly process: WorkerProcess;
}

/** Wait before a worker that has died is replaced. */
const RESTART: Backoff = { minMs: 250, maxMs: 5_000 };

/** A worker that has served for so long has not died of how it was started. */
const PROVEN_MS = 30_000;

/** Deaths in a row of one worker, none of which has served for {@link PROVEN_MS}, after which all is given up. */
const MAX_DEATHS = 5;

/** One place in the crew. */
interface Place {
  readonly worker: number;
  life: number;
  process: WorkerProcess;
  servingSinceMs: number | undefined;
  deaths: number;
  cancelRestart: Cancel;
}

/** Worker processes, of which one that dies is replaced. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #places: Place[] = [];
  readonly #started = new Deferred<void>();
  readonly #failed = new Deferred<Error>();
  readonly #left = new Deferred<void>();
  #state: "starting" | "serving" | "leaving" = "starting";
  /** Why not all have gone away as they should have. */
  #badEnd: string | undefined;
  #lives = 0;
  #refused = 0;
  #deaths = 0;
  readonly #limitReports: LimitReports;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#limitReports = new LimitReports(options.clock, options.log);
  }

  /** Start all; resolves when all serve, and rejects with why one cannot. */
  start(): Promise<void> {
    for (let worker = 1; worker <= this.#options.count; worker++) {
      const started = this.#fork(worker);
      this.#places.push({ worker, ...started, servingSinceMs: undefined, deaths: 0, cancelRestart: () => {} });
    }
    return this.#started.promise;
  }

  /** Resolves with why it cannot go on: a worker dies as often as it is started. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  /** Those that live, in order of their numbers. */
  get members(): readonly CrewMember[] {
    return this.#places.filter(({ process }) => process.state.t === "serving" || process.state.t === "leaving");
  }

  /** Clients that are connected to any of them, or on the way. */
  get open(): number {
    return this.#places.reduce((sum, { process }) => sum + process.open, 0);
  }

  /** Clients that were not taken. */
  get refused(): number {
    return this.#refused;
  }

  /** Clients that were not taken since there were as many as may be. */
  get overLimit(): number {
    return this.#limitReports.hits.connections;
  }

  /** Workers that have ended without being told to. */
  get deaths(): number {
    return this.#deaths;
  }

  /** Give a client to the worker that has least to do, or send it away. */
  take(client: WaitingClient): void {
    const { maxConnections, log } = this.#options;
    const { open } = this;
    const isFull = open >= maxConnections;
    if (isFull) this.#limitReports.hit("connections", { client: client.socket.remoteAddress ?? "unix" });
    // Those that go away, too: they take clients for as long as their parent listens.
    const worker = isFull ? undefined : leastLoaded(this.members.map(({ process }) => process));
    if (worker) {
      worker.give(client);
      return;
    }
    if (!isFull) log.warn("connection refused: no worker serves");
    this.#refused++;
    client.socket.destroy();
  }

  setLogLevel(level: LogLevel): void {
    for (const { process } of this.#places) process.tell({ t: "log_level", level });
  }

  /** Have all go away; resolves when all have ended, and rejects where one has not ended as it should. */
  async drain(delayMs: number): Promise<void> {
    await this.#leave({ t: "drain", delayMs });
    if (this.#badEnd !== undefined) throw new Error(this.#badEnd);
  }

  /** End all at once; resolves when they have ended. */
  stop(): Promise<void> {
    return this.#leave({ t: "stop" });
  }

  /** End what has not ended by now. */
  kill(): void {
    for (const { process } of this.#places) if (process.state.t !== "ended") process.kill();
  }

  #leave(order: { t: "drain"; delayMs: number } | { t: "stop" }): Promise<void> {
    this.#state = "leaving";
    for (const { process, cancelRestart } of this.#places) {
      cancelRestart();
      process.tell(order);
    }
    this.#lookWhetherAllHaveLeft();
    return this.#left.promise;
  }

  #lookWhetherAllHaveLeft(): void {
    if (this.#places.every(({ process }) => process.state.t === "ended")) this.#left.resolve();
  }

  #fork(worker: number): Pick<Place, "life" | "process"> {
    const { fork, startMessage } = this.#options;
    const life = ++this.#lives;
    const process = new WorkerProcess(fork(), startMessage(worker, life), {
      serving: () => this.#serving(this.#places[worker - 1]!),
      ended: (exit, was, unread) => {
        this.#ended(this.#places[worker - 1]!, exit, was === "leaving");
        for (const client of unread) this.take(client);
      },
    });
    return { life, process };
  }

  #serving(place: Place): void {
    place.servingSinceMs = this.#options.clock.nowMs();
    this.#options.log.info({ worker: place.worker, pid: place.process.pid }, "worker serves");
    if (this.#state !== "starting" || this.members.length < this.#places.length) return;
    this.#state = "serving";
    this.#started.resolve();
  }

  #ended(place: Place, { reason, status }: WorkerExit, wasTold: boolean): void {
    const { worker, life, servingSinceMs } = place;
    const { clock, log, onEnded } = this.#options;
    onEnded?.(life);
    if (wasTold) {
      if (status !== 0) this.#badEnd ??= `worker ${worker} has ended before its builds: ${reason}`;
      log.info({ worker, reason }, "worker has ended");
    } else {
      this.#deaths++;
      log.error({ worker, reason }, "worker has died");
    }
    if (this.#state === "leaving") this.#lookWhetherAllHaveLeft();
    else if (this.#state === "starting") this.#started.reject(new Error(startFault(worker, reason, status)));
    else {
      const isProven = servingSinceMs !== undefined && clock.nowMs() - servingSinceMs >= PROVEN_MS;
      place.deaths = isProven ? 1 : place.deaths + 1;
      this.#replaceLater(place, reason);
    }
  }

  #replaceLater(place: Place, reason: string): void {
    const { clock, log } = this.#options;
    const { worker, deaths } = place;
    if (deaths > MAX_DEATHS) {
      this.#failed.resolve(new Error(`worker ${worker} has died ${deaths} times in a row: ${reason}`));
      return;
    }
    const delayMs = backoffDelayMs(deaths, RESTART, Math.random());
    log.info({ worker, delayMs: Math.round(delayMs) }, "worker is started anew");
    place.cancelRestart = clock.after(delayMs, () => {
      place.servingSinceMs = undefined;
      Object.assign(place, this.#fork(worker));
    });
  }
}

/** A worker that says why it cannot start says what the gateway itself would say. */
function startFault(worker: number, reason: string, status: number | null): string {
  return status === null || reason === `status ${status}` ? `worker ${worker} has not started: ${reason}` : reason;
}
