import type { Socket } from "node:net";
import { CallConnection, CallTally, ECHO } from "./call-connection.ts";
import { connectFast } from "./fast-socket.ts";
import type { Load, LoadTarget } from "./load.ts";

/** Between two looks at what is due. */
const TICK_MS = 1;

/** Calls that are due and have not been sent, since a peer takes no more. */
const MAX_WAITING = 10_000;

/** Makes calls when they are due, however long others take. */
class PacedConnection extends CallConnection {
  /** When each call was due that could not be sent yet. */
  readonly #waiting: number[] = [];

  constructor(socket: Socket, target: LoadTarget, tally: CallTally) {
    super(socket, target, tally, ECHO);
  }

  /** A call is due. */
  due(dueMs: number): void {
    this.#waiting.push(dueMs);
    if (this.#waiting.length > MAX_WAITING) this.fail(`${MAX_WAITING} calls are due and cannot be sent`);
  }

  /** Send what is due. */
  send(): void {
    this.onRoom();
    this.flush();
  }

  protected override onRoom(): void {
    while (this.hasRoom && this.#waiting.length > 0) this.call(this.#waiting.shift()!);
  }
}

/** Start calls at a fixed rate, in turn on each of `connections` connections. */
export async function startPacedLoad(target: LoadTarget, connections: number, callsPerSecond: number): Promise<Load> {
  const tally = new CallTally();
  const started: PacedConnection[] = [];
  for (let index = 0; index < connections; index++) {
    const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
    const connection = new PacedConnection(socket, target, tally);
    started.push(connection);
  }
  const startedMs = performance.now();
  let made = 0;
  const timer = setInterval(() => {
    const dueCalls = ((performance.now() - startedMs) * callsPerSecond) / 1_000;
    for (; made < dueCalls; made++) {
      started[made % started.length]!.due(startedMs + (made * 1_000) / callsPerSecond);
    }
    for (const connection of started) connection.send();
  }, TICK_MS);
  return {
    count: () => tally.calls,
    failure: () => started.find((connection) => connection.failure)?.failure,
    takeLatency: () => tally.takeLatency(),
    async stop() {
      clearInterval(timer);
      for (const connection of started) connection.stop();
      await Promise.all(started.map((connection) => connection.close()));
    },
  };
}
