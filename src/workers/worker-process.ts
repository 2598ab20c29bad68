import type { Socket } from "node:net";
import { errorText } from "../base/system-error.ts";
import type { WorkerLoad } from "./worker-choice.ts";
import type { StartMessage, WorkerOrder, WorkerReport } from "./worker-messages.ts";

/** The part of a child process that is used (nodejs.org, child_process: `fork`). */
export interface WorkerChild {
  readonly pid?: number | undefined;
  readonly connected: boolean;
  send(
    message: WorkerOrder,
    handle: Socket | undefined,
    options: { readonly keepOpen: boolean },
    callback: (error: Error | null) => void,
  ): boolean;
  kill(signal: NodeJS.Signals): boolean;
  on(event: "message", listener: (report: WorkerReport) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: (status: number | null, signal: NodeJS.Signals | null) => void): unknown;
}

/** How a worker has ended. */
export interface WorkerExit {
  /** `null` where a signal ended it. */
  readonly status: number | null;
  /** For people: `status 1`, `SIGKILL`, or why it never ran. */
  readonly reason: string;
}

/** Life of a worker's process. One that serves or leaves is given clients. */
export type WorkerState =
  | { readonly t: "starting" }
  | { readonly t: "serving" }
  /** It goes away because it was told to. */
  | { readonly t: "leaving" }
  | { readonly t: "ended"; readonly exit: WorkerExit };

/** Who hears of a worker's life. */
export interface WorkerEvents {
  /** It takes clients from now on. */
  serving(): void;
  /** It has ended. `unread` are clients that were on the way to it, and of which nothing has been read. */
  ended(exit: WorkerExit, was: WorkerState["t"], unread: readonly WaitingClient[]): void;
}

/** A client that was accepted, and at which address. */
export interface WaitingClient {
  readonly way: number;
  /** Never read. */
  readonly socket: Socket;
}

/**
 * One worker, as its parent sees it.
 *
 * Clients' sockets are sent one at a time, the next when the worker says that it has the last: what Node keeps in its own
 * queue is lost, and stays open for ever, where the process ends meanwhile (Node 20).
 */
export class WorkerProcess implements WorkerLoad {
  readonly #child: WorkerChild;
  readonly #events: WorkerEvents;
  readonly #waiting: WaitingClient[] = [];
  #sending: WaitingClient | undefined;
  #state: WorkerState = { t: "starting" };
  #given = 0;
  #closed = 0;
  #busy = 0;
  #notStarted: string | undefined;

  constructor(child: WorkerChild, start: StartMessage, events: WorkerEvents) {
    this.#child = child;
    this.#events = events;
    child.on("message", (report) => this.#hear(report));
    child.on("error", (error) => {
      // There is no `exit` of what never ran.
      if (child.pid === undefined) this.#ended({ status: null, reason: errorText(error) });
    });
    child.on("exit", (status, signal) => {
      this.#ended({ status, reason: this.#notStarted ?? signal ?? `status ${status}` });
    });
    this.tell(start);
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get open(): number {
    return this.#given - this.#closed;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Give it a client. */
  give(client: WaitingClient): void {
    this.#given++;
    this.#waiting.push(client);
    this.#sendNext();
  }

  /** Tell it something; nothing happens where it cannot hear any more. */
  tell(order: Exclude<WorkerOrder, { t: "client" }>): void {
    if (order.t === "drain" || order.t === "stop") {
      if (this.#state.t !== "ended") this.#state = { t: "leaving" };
    }
    if (this.#child.connected) this.#child.send(order, undefined, { keepOpen: false }, () => {});
  }

  /** End it now, whatever it does. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #hear(report: WorkerReport): void {
    switch (report.t) {
      case "serving":
        if (this.#state.t !== "starting") return;
        this.#state = { t: "serving" };
        this.#events.serving();
        return;
      case "not_started":
        this.#notStarted = report.reason;
        return;
      case "taken":
        this.#letGo();
        this.#sendNext();
        return;
      case "load":
        this.#closed = report.closed;
        this.#busy = report.busy;
    }
  }

  #sendNext(): void {
    if (this.#sending || !this.#child.connected) return;
    this.#sending = this.#waiting.shift();
    if (!this.#sending) return;
    const { way, socket } = this.#sending;
    // A worker that cannot be sent to has ended, and its end says what becomes of the client.
    this.#child.send({ t: "client", way }, socket, { keepOpen: true }, () => {});
  }

  /** The connection is the worker's own now: closing our handle of it touches nothing. */
  #letGo(): void {
    this.#sending?.socket.destroy();
    this.#sending = undefined;
  }

  #ended(exit: WorkerExit): void {
    const was = this.#state.t;
    if (was === "ended") return;
    this.#state = { t: "ended", exit };
    // Nobody knows what the worker has read of the one that was on its way.
    this.#letGo();
    const unread = this.#waiting.splice(0);
    this.#given = this.#closed;
    this.#busy = 0;
    this.#events.ended(exit, was, unread);
  }
}
