import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Pieces that a slow direction passes on at a time. */
const PIECE_BYTES = 4_096;

/** A TCP relay to a port of 127.0.0.1 that can be made slow, both ways, for all it carries. Stop it. */
export class SlowRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #line: { readonly delayMs: number; readonly bytesPerSecond: number } | undefined;

  private constructor(port: number) {
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = connect({ port, host: "127.0.0.1", noDelay: true });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.once("close", () => this.#sockets.delete(socket));
      }
      void this.#carry(near, far);
      void this.#carry(far, near);
    });
  }

  static async start(port: number): Promise<SlowRelay> {
    const relay = new SlowRelay(port);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on each piece takes `delayMs`, and the time that a line of this rate needs for it. */
  slow(delayMs: number, bytesPerSecond: number): void {
    this.#line = { delayMs, bytesPerSecond };
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) {
        for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
          const piece: Buffer = chunk.subarray(at, at + PIECE_BYTES);
          const line = this.#line;
          if (line) await elapsed(line.delayMs + (piece.length / line.bytesPerSecond) * 1_000);
          if (!to.write(piece)) await once(to, "drain");
        }
      }
    } catch {
      // One side has gone, which the other is told below.
    }
    to.destroy();
  }
}

function elapsed(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
