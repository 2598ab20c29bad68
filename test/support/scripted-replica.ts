import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { GrpcReplica } from "./grpc-replica.ts";
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, readSettings, Setting } from "./raw-http2/frames.ts";
import { RawPeer } from "./raw-http2/raw-peer.ts";

/**
 * The header list bound that the switch under test announces to its replicas,
 * and nobody else: by it a replica tells the switch's connections from those
 * of the fleet's health checks.
 */
export const SWITCH_MARK_BYTES = 16 * 2 ** 20 + 1;

/** Octets from which on a connection's owner is known: the preface and one SETTINGS frame's header. */
const MIN_HELLO_BYTES = CLIENT_PREFACE.length + FRAME_HEADER_BYTES;

/**
 * A replica whose health checks are answered by a real gRPC server, and whose
 * connections from the switch a test drives frame by frame.
 */
export class ScriptedReplica {
  readonly name: string;
  /** Answers health checks, Info, ListWorkers, ListenBuildHistory and the capability probe. */
  readonly grpc: GrpcReplica;
  /** What to do with a connection of the switch's; by default a {@link RawPeer} waits for {@link accepted}. */
  onSwitchSocket: (socket: Socket) => void = (socket) => this.#offer(socket);
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Hears of every connection of the switch's that a {@link RawPeer} takes. */
  onPeer: (peer: RawPeer) => void = () => {};
  readonly #switchSockets = new Set<Socket>();
  readonly #offered: RawPeer[] = [];
  readonly #takers: ((peer: RawPeer) => void)[] = [];
  #port = 0;

  private constructor(name: string, grpc: GrpcReplica) {
    this.name = name;
    this.grpc = grpc;
    this.#server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
  }

  /** Start one on 127.0.0.1. Whoever starts it stops it. */
  static async start(name: string): Promise<ScriptedReplica> {
    const replica = new ScriptedReplica(name, await GrpcReplica.start({ workerId: name }));
    await replica.listen();
    return replica;
  }

  get address(): string {
    return `tcp://127.0.0.1:${this.#port}`;
  }

  /** Accept connections, after {@link kill} on the same port again. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** The next connection of the switch's, as a server that has not said a word. */
  accepted(): Promise<RawPeer> {
    const peer = this.#offered.shift();
    return peer ? Promise.resolve(peer) : new Promise((resolve) => this.#takers.push(resolve));
  }

  /** The next connection of the switch's, with these SETTINGS sent. */
  async serve(settings: readonly (readonly [id: number, value: number])[] = []): Promise<RawPeer> {
    const peer = await this.accepted();
    peer.begin("server", settings);
    return peer;
  }

  /** Connections of the switch's that nobody has taken. */
  get waiting(): number {
    return this.#offered.length;
  }

  /** Connections of the switch's that are open. */
  get openSwitchSockets(): number {
    return this.#switchSockets.size;
  }

  /** Refuse new connections and break those that are open, as kill -9 does. */
  kill(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  stop(): void {
    this.kill();
    this.grpc.kill();
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    let hello = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      hello = Buffer.concat([hello, chunk]);
      const isSwitch = isMarked(hello);
      if (isSwitch === undefined) return;
      socket.off("data", read);
      socket.pause();
      socket.unshift(hello);
      if (isSwitch) {
        this.#switchSockets.add(socket);
        socket.once("close", () => this.#switchSockets.delete(socket));
        this.onSwitchSocket(socket);
      } else this.#pipeToGrpc(socket);
    };
    socket.on("data", read);
  }

  #offer(socket: Socket): void {
    const peer = new RawPeer(socket, "server");
    this.onPeer(peer);
    socket.resume();
    const taker = this.#takers.shift();
    if (taker) taker(peer);
    else this.#offered.push(peer);
  }

  #pipeToGrpc(socket: Socket): void {
    const { host, port } = this.grpc.address;
    const inner = connect(port, host);
    inner.on("error", () => {});
    inner.once("close", () => socket.destroy());
    socket.once("close", () => inner.destroy());
    socket.pipe(inner).pipe(socket);
  }
}

/** Whether what a client sent first is the switch's hello; `undefined`: too early to say. */
function isMarked(hello: Buffer): boolean | undefined {
  if (hello.length < MIN_HELLO_BYTES) return undefined;
  const end = MIN_HELLO_BYTES + hello.readUIntBE(CLIENT_PREFACE.length, 3);
  if (hello.length < end) return undefined;
  const settings = readSettings(hello.subarray(MIN_HELLO_BYTES, end));
  return settings.some(([id, value]) => id === Setting.MAX_HEADER_LIST_SIZE && value === SWITCH_MARK_BYTES);
}
