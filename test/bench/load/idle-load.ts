import type { Socket } from "node:net";
import { CallConnection, CallTally, ECHO } from "./call-connection.ts";
import { connectFast } from "./fast-socket.ts";
import type { Load, LoadTarget } from "./load.ts";

/** A connection that has made one call, and makes no other. */
class IdleConnection extends CallConnection {
  readonly #onCalled: () => void;
  #hasCalled = false;

  constructor(socket: Socket, target: LoadTarget, tally: CallTally, onCalled: () => void) {
    super(socket, target, tally, ECHO);
    this.#onCalled = onCalled;
  }

  protected override onRoom(): void {
    if (!this.#hasCalled && this.hasRoom) {
      this.#hasCalled = true;
      this.call(this.turnStartedMs);
    } else if (this.#hasCalled && this.streams.size === 0) this.#onCalled();
  }

  protected override fail(message: string): void {
    super.fail(message);
    this.#onCalled();
  }
}

/** Connections that are being opened at once. */
const AT_ONCE = 16;

/** Connections that stay open after one call. */
export class IdleLoad implements Load {
  readonly #target: LoadTarget;
  readonly #tally = new CallTally();
  readonly #open: IdleConnection[] = [];

  constructor(target: LoadTarget) {
    this.#target = target;
  }

  /** Open as many as it takes to have `connections`; resolves once all are idle. */
  async growTo(connections: number): Promise<void> {
    let missing = connections - this.#open.length;
    const openSome = async (): Promise<void> => {
      while (missing-- > 0) await this.#openOne();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, openSome));
  }

  async #openOne(): Promise<void> {
    const { port, isTls } = this.#target;
    let receive = (_bytes: Buffer, _count: number): void => {};
    const socket = await connectFast(port, isTls, (bytes, count) => receive(bytes, count));
    await new Promise<void>((resolve) => {
      const connection = new IdleConnection(socket, this.#target, this.#tally, resolve);
      receive = (bytes, count) => connection.receive(bytes, count);
      this.#open.push(connection);
    });
  }

  count(): number {
    return this.#open.length;
  }

  failure(): Error | undefined {
    return this.#open.find((connection) => connection.failure)?.failure;
  }

  takeLatency(): undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    for (const connection of this.#open) connection.stop();
    await Promise.all(this.#open.map((connection) => connection.close()));
  }
}
