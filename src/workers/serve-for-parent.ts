import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { Deferred } from "../base/deferred.ts";
import type { LogLevel } from "../base/log.ts";
import type { TakeClient } from "../dataplane/switch.ts";
import type { StartMessage, WorkerOrder, WorkerReport } from "./worker-messages.ts";

/** The way to the process that has started this one: `process` itself. */
export interface ParentChannel {
  send?(report: WorkerReport, handle: undefined, options: object, callback: (error: Error | null) => void): boolean;
  on(event: "message", listener: (order: WorkerOrder, socket: Socket | undefined) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
}

/** A gateway that serves in this process. */
export interface WorkerGateway {
  drain(delayMs: number): Promise<void>;
  stop(): Promise<void>;
  setLogLevel(level: LogLevel): void;
}

/** What a worker is made of. */
export interface WorkerOptions {
  readonly parent: ParentChannel;
  readonly clock: Clock;
  /**
   * Become a gateway. `openWay` is called for each address where clients connect. Rejects with an Error of one line, for
   * an operator.
   */
  readonly start: (message: StartMessage, openWay: (way: number, take: TakeClient) => void) => Promise<WorkerGateway>;
  /** The parent is gone, and leaves to its workers what it would have removed. */
  readonly onOrphaned?: () => void;
}

/** Longest that ending at once may take where nobody watches over it. */
const STOP_TIMEOUT_MS = 2_000;

/** How often it is told how busy this process is. */
const REPORT_MS = 1_000;

/**
 * Serve the clients that the parent process hands over until it says that it is enough, or is gone. Resolves with the
 * exit status: 0 when this process was told to go away and all builds have ended.
 */
export function serveForParent(options: WorkerOptions): Promise<0 | 1> {
  const worker = new Worker(options);
  return worker.ended;
}

class Worker {
  readonly #options: WorkerOptions;
  readonly #ways = new Map<number, TakeClient>();
  readonly #ended = new Deferred<0 | 1>();
  #gateway: WorkerGateway | undefined;
  /** As it was changed since the start. */
  #logLevel: LogLevel | undefined;
  #closed = 0;
  #average = 0;
  /** As it was told last. */
  #busy = 0;
  #isReporting = false;
  #usage = performance.eventLoopUtilization();

  constructor(options: WorkerOptions) {
    this.#options = options;
    options.parent.on("message", (order, socket) => this.#hear(order, socket));
    // Nobody could tell it to go away any more, nor hand it a client.
    options.parent.on("disconnect", () => {
      options.onOrphaned?.();
      options.clock.after(STOP_TIMEOUT_MS, () => this.#ended.resolve(1));
      void this.#end(1);
    });
  }

  get ended(): Promise<0 | 1> {
    return this.#ended.promise;
  }

  #hear(order: WorkerOrder, socket: Socket | undefined): void {
    switch (order.t) {
      case "start":
        void this.#start(order);
        return;
      case "client":
        this.#take(order.way, socket);
        return;
      case "log_level":
        this.#logLevel = order.level;
        this.#gateway?.setLogLevel(order.level);
        return;
      case "drain":
        void this.#end(0, (gateway) => gateway.drain(order.delayMs));
        return;
      case "stop":
        void this.#end(1);
    }
  }

  async #start(message: StartMessage): Promise<void> {
    try {
      this.#gateway = await this.#options.start(message, (way, take) => this.#ways.set(way, take));
    } catch (reason) {
      await this.#tell({ t: "not_started", reason: (reason as Error).message });
      this.#ended.resolve(1);
      return;
    }
    if (this.#logLevel !== undefined) this.#gateway.setLogLevel(this.#logLevel);
    await this.#tell({ t: "serving" });
    // Starting is no work that goes on.
    this.#usage = performance.eventLoopUtilization();
    this.#measureLater();
  }

  #take(way: number, socket: Socket | undefined): void {
    const take = this.#ways.get(way);
    if (take && socket) take(socket, () => this.#closedOne());
    else {
      socket?.destroy();
      this.#closedOne();
    }
    void this.#tell({ t: "taken" });
  }

  #closedOne(): void {
    this.#closed++;
    this.#reportSoon();
  }

  /** One report for all that happens in a turn of the event loop. */
  #reportSoon(): void {
    if (this.#isReporting) return;
    this.#isReporting = true;
    setImmediate(() => {
      this.#isReporting = false;
      void this.#tell({ t: "load", closed: this.#closed, busy: this.#busy });
    });
  }

  #measureLater(): void {
    this.#options.clock.after(REPORT_MS, () => {
      const usage = performance.eventLoopUtilization();
      // The half of what was before: one busy moment is no heavy client.
      this.#average = (this.#average + performance.eventLoopUtilization(usage, this.#usage).utilization) / 2;
      const busy = Math.round(this.#average * 100) / 100;
      this.#usage = usage;
      if (busy !== this.#busy) {
        this.#busy = busy;
        this.#reportSoon();
      }
      this.#measureLater();
    });
  }

  async #end(status: 0 | 1, leave: (gateway: WorkerGateway) => Promise<void> = async () => {}): Promise<void> {
    if (this.#gateway) {
      await leave(this.#gateway);
      await this.#gateway.stop();
    }
    this.#ended.resolve(status);
  }

  /** Resolves when it has been written, or cannot be. */
  #tell(report: WorkerReport): Promise<void> {
    return new Promise((resolve) => {
      const { parent } = this.#options;
      if (parent.send) parent.send(report, undefined, {}, () => resolve());
      else resolve();
    });
  }
}
