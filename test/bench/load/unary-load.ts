import type { Socket } from "node:net";
import { CallConnection, CallTally, ECHO, type UnaryMethod } from "./call-connection.ts";
import { connectFast } from "./fast-socket.ts";
import type { Load, LoadTarget } from "./load.ts";

/** Keeps `concurrency` calls open: each that ends starts the next. */
class UnaryConnection extends CallConnection {
  readonly #concurrency: number;

  constructor(socket: Socket, target: LoadTarget, concurrency: number, tally: CallTally, method: UnaryMethod) {
    super(socket, target, tally, method);
    this.#concurrency = concurrency;
  }

  protected override onRoom(): void {
    while (this.hasRoom && this.streams.size < this.#concurrency) this.call(this.turnStartedMs);
  }
}

/** Start a closed loop of calls on `connections` connections with `concurrency` open calls each. */
export async function startUnaryLoad(
  target: LoadTarget,
  connections: number,
  concurrency: number,
  method: UnaryMethod = ECHO,
): Promise<Load> {
  const tally = new CallTally();
  const started: UnaryConnection[] = [];
  for (let index = 0; index < connections; index++) {
    const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
    const connection = new UnaryConnection(socket, target, concurrency, tally, method);
    started.push(connection);
  }
  return {
    count: () => tally.calls,
    failure: () => started.find((connection) => connection.failure)?.failure,
    takeLatency: () => tally.takeLatency(),
    async stop() {
      for (const connection of started) connection.stop();
      await Promise.all(started.map((connection) => connection.close()));
    },
  };
}
