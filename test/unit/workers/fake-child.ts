import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { StartMessage, WorkerOrder, WorkerReport } from "../../../src/workers/worker-messages.ts";
import type { WaitingClient, WorkerChild } from "../../../src/workers/worker-process.ts";

/** What every worker of these tests is started with. */
export const START: StartMessage = { t: "start", worker: 1, argv: [], files: {}, logLevel: "info" };

/** A worker's process that does what the test says. */
export class FakeChild extends EventEmitter implements WorkerChild {
  readonly pid = 4_711;
  connected = true;
  /** What it was told, without the sockets. */
  readonly told: WorkerOrder[] = [];
  /** Clients that it was sent. */
  readonly clients: Socket[] = [];
  isKilled = false;

  send(message: WorkerOrder, handle: Socket | undefined): boolean {
    this.told.push(message);
    if (handle) this.clients.push(handle);
    return true;
  }

  kill(): boolean {
    this.isKilled = true;
    return true;
  }

  /** Tell its parent something. */
  tells(report: WorkerReport): void {
    this.emit("message", report);
  }

  ends(status: number | null, signal: NodeJS.Signals | null = null): void {
    this.connected = false;
    this.emit("exit", status, signal);
  }
}

/** A client whose socket only remembers whether it is closed. */
export function fakeClient(way = 0): WaitingClient & { readonly isClosed: () => boolean } {
  let isClosed = false;
  const destroy = () => {
    isClosed = true;
  };
  const socket = { destroy } as unknown as Socket;
  return { way, socket, isClosed: () => isClosed };
}
