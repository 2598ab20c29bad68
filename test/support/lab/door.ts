import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What a door leads from and to. */
export interface DoorOptions {
  /** A unix socket to make. Absent: a free port of 127.0.0.1. */
  readonly path?: string;
  /** `tcp://127.0.0.1:port` */
  readonly to: string;
}

/** An address that leads to another, and that can be shut while those who are inside stay. */
export class Door {
  /** `tcp://127.0.0.1:port` or `unix:///path`. */
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  readonly #carriedBytes = { in: 0, out: 0 };
  readonly #onCarried = new Set<() => void>();

  private constructor(server: Server, { path, to }: DoorOptions) {
    this.#server = server;
    this.#port = path === undefined ? (server.address() as AddressInfo).port : 0;
    this.address = path === undefined ? `tcp://127.0.0.1:${this.#port}` : `unix://${path}`;
    server.on("connection", (socket) => this.#lead(socket, Number(to.split(":").at(-1))));
  }

  static async open(options: DoorOptions): Promise<Door> {
    const server = createServer({ noDelay: true });
    server.listen(options.path === undefined ? { host: "127.0.0.1", port: 0 } : { path: options.path });
    await once(server, "listening");
    return new Door(server, options);
  }

  /** Refuse new connections from now on; those that are open stay. */
  shut(): void {
    this.#server.close();
  }

  /** Take connections again, at the same port. */
  async reopen(): Promise<void> {
    this.#server.listen({ host: "127.0.0.1", port: this.#port });
    await once(this.#server, "listening");
  }

  /** Resolves once this many more bytes have gone in (to the target) or out, over all connections together. */
  carried(direction: "in" | "out", bytes: number): Promise<void> {
    const goalBytes = this.#carriedBytes[direction] + bytes;
    return new Promise((resolve) => {
      const look = () => {
        if (this.#carriedBytes[direction] < goalBytes) return;
        this.#onCarried.delete(look);
        resolve();
      };
      this.#onCarried.add(look);
    });
  }

  /** End everything. Any number of times. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #lead(downstream: Socket, port: number): void {
    const upstream = connect({ host: "127.0.0.1", port, noDelay: true });
    for (const [one, other, direction] of [
      [downstream, upstream, "in"],
      [upstream, downstream, "out"],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on("data", (chunk: Buffer) => {
        this.#carriedBytes[direction] += chunk.length;
        for (const look of this.#onCarried) look();
      });
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
