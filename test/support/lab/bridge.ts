import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** TLS in front of a replica, as buildkitd's `[grpc.tls]` would offer it. All PEM. */
export interface TlsFront {
  readonly cert: string;
  readonly key: string;
  /** Client certificates are required and must be signed by this authority. Absent: none is asked for. */
  readonly clientCa?: string;
}

/** How connections get from the port to the socket. */
export interface BridgeOptions {
  readonly socketPath: string;
  /** dockerd serves BuildKit after `POST /grpc` with `Upgrade: h2c`; buildkitd serves it at once. */
  readonly upgrade: boolean;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tlsFront?: TlsFront;
}

const UPGRADE_REQUEST = "POST /grpc HTTP/1.1\r\nHost: buildkit\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const HEAD_END = "\r\n\r\n";

/**
 * A TCP port on 127.0.0.1 that leads to a daemon's unix socket.
 *
 * It behaves as the daemon's own port would: what the daemon closes is closed,
 * and after {@link close} connections are refused.
 */
export class Bridge {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  static open(options: BridgeOptions): Promise<Bridge> {
    const sockets = new Set<Socket>();
    const serve = (downstream: Socket) => join(downstream, options, sockets);
    const { tlsFront } = options;
    const server = tlsFront
      ? createTlsServer(
          {
            cert: tlsFront.cert,
            key: tlsFront.key,
            ALPNProtocols: ["h2"],
            allowHalfOpen: true,
            noDelay: true,
            ...(tlsFront.clientCa && { ca: tlsFront.clientCa, requestCert: true }),
          },
          serve,
        )
      : createServer({ allowHalfOpen: true, noDelay: true }, serve);
    // Raw sockets too: a TLS handshake that never ends must not outlive the bridge.
    server.on("connection", (socket: Socket) => remember(socket, sockets));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, "127.0.0.1", () => resolve(new Bridge(server, sockets)));
    });
  }

  /** Refuse new connections and close all that are open, at once, as the kernel does for a killed process. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function join(downstream: Socket, options: BridgeOptions, sockets: Set<Socket>): void {
  const daemon = connect({ path: options.socketPath, allowHalfOpen: true });
  remember(daemon, sockets);
  const splice = () => {
    downstream.pipe(daemon);
    daemon.pipe(downstream);
  };
  // A side that fails or is gone takes the other with it; a half-close crosses by `pipe`.
  for (const [one, other] of [
    [daemon, downstream],
    [downstream, daemon],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
  if (!options.upgrade) {
    daemon.once("connect", splice);
    return;
  }
  daemon.write(UPGRADE_REQUEST);
  let head = Buffer.alloc(0);
  daemon.on("data", function readHead(chunk: Buffer) {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) return;
    daemon.off("data", readHead);
    daemon.pause();
    if (!head.toString("latin1").startsWith("HTTP/1.1 101")) {
      daemon.destroy();
      return;
    }
    const early = head.subarray(end + HEAD_END.length);
    if (early.length > 0) downstream.write(early);
    splice();
  });
}

function remember(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
}
