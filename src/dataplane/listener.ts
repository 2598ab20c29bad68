import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "../base/address.ts";
import { hostPort } from "../base/address.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import { CLIENT_SOCKETS, listenOn } from "../base/listen-on.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";

import type { ClientCertificate } from "./client-certificate.ts";
import { helloKind, REFUSALS } from "./client-hello.ts";
import { type OnReadDoor, RUNTIME_DOOR } from "./onread-door.ts";
import type { OnLimit } from "./over-limit.ts";
import { PacedEvents } from "./paced-events.ts";
import type { ReadBuffer, ReadBufferPool } from "./read-buffers.ts";
import { RefusalLog } from "./refusal-log.ts";
import { ReusedBufferReader } from "./socket-reader.ts";
import { TlsServer } from "./tls-server.ts";
import type { Traffic } from "./traffic.ts";
import { Transport } from "./transport.ts";
import type { TurnFlusher } from "./turn-flusher.ts";

const TLS_REQUIRED = "TLS is required on this address (tls.mode)";

/** Whether a listener takes TLS, cleartext or both. */
export type TlsMode = "off" | "optional" | "required";

/** A client that may speak HTTP/2 now. */
export interface AcceptedClient {
  readonly transport: Transport;
  /** Address of the client, for logs. */
  readonly peer: string;
  /** That without the port. */
  readonly host: string;
  /** The name that its TLS hello asked for. */
  readonly servername?: string;
  /** The names of the certificate that it has shown, which an authority of ours has signed; none where it has shown none. */
  readonly certificateNames: readonly string[];
  /** Bytes that were read to find out what the client speaks; they come before what the transport reads. */
  readonly first: FirstBytes | undefined;
  /** It is not to be served, and this is why. */
  readonly refusal?: GatewayError;
}

/** `bytes[start, end)`, in a buffer that is reused where there is a lease. */
export interface FirstBytes {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly lease: ReadBuffer | undefined;
}

/** A client that has not said what it speaks. */
interface Undecided {
  readonly socket: Socket;
  readonly reader: ReusedBufferReader | undefined;
}

/** What a listener is made of. */
export interface ListenerOptions {
  readonly tlsMode: TlsMode;
  /** Needed unless `tlsMode` is off. With a `ca`, clients must show a certificate of it. */
  readonly tls: TlsMaterial | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly buffers: ReadBufferPool;
  readonly flusher: TurnFlusher;
  /** For the first byte and the TLS handshake together. */
  readonly handshakeTimeoutMs: number;
  /** Whether one more connection may be served; a refusal is logged by whoever says no. */
  readonly mayAccept: (host: string) => boolean;
  readonly onLimit: OnLimit;
  readonly onClient: (client: AcceptedClient) => void;
  /** Where the bytes of clients are counted. */
  readonly traffic: Traffic;
  /** Default: the runtime's. */
  readonly onReadDoor?: OnReadDoor;
}

/** How long a client that is refused may take to read why. */
const REFUSAL_GRACE_MS = 1_000;

/** One address on which TLS and cleartext are told apart by the first byte. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #refusals: RefusalLog;
  readonly #paced: PacedEvents;
  /** Sockets that have not said what they speak, and what ends their time to. */
  readonly #undecided = new Map<Socket, Cancel>();
  #openSockets = 0;
  #isClosed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#refusals = new RefusalLog(options.clock, options.log);
    this.#paced = new PacedEvents(options.clock);
    this.#server = createServer(CLIENT_SOCKETS, (socket) => this.accept(socket));
    this.#tlsServer = options.tlsMode === "off" || !options.tls ? undefined : this.#createTlsServer(options.tls);
  }

  /** Sockets that have been accepted and are open: those handed over, in a handshake, silent, or being refused. */
  get openSockets(): number {
    return this.#openSockets;
  }

  /** Begin to listen; the answer has the real port. Rejects with Node's own error. */
  listen(address: Address): Promise<Address> {
    return listenOn(this.#server, address, (err) => this.#options.log.error({ err }, "listener failed"));
  }

  /** Accept nothing more. Connections that have been handed over stay. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
    this.#tlsServer?.close();
    for (const socket of this.#undecided.keys()) socket.destroy();
  }

  /** Serve a connection, also one that was accepted elsewhere; `onClosed` hears when it is over. */
  accept(accepted: Socket, onClosed: () => void = () => {}): void {
    const { mayAccept, onLimit, buffers, clock, handshakeTimeoutMs, onReadDoor = RUNTIME_DOOR } = this.#options;
    if (this.#isClosed || !mayAccept(hostName(accepted))) {
      accepted.destroy();
      onClosed();
      return;
    }
    const reader = new ReusedBufferReader(buffers);
    // What Node has read by itself would be lost.
    const adopted = accepted.bytesRead > 0 ? undefined : onReadDoor.adopt(accepted, reader);
    const socket = adopted ?? accepted;
    const cancelTimeout = clock.after(handshakeTimeoutMs, () => {
      onLimit("handshakeTimeout", { client: hostName(socket) });
      socket.destroy();
    });
    this.#undecided.set(socket, cancelTimeout);
    this.#openSockets++;
    socket.on("close", () => {
      this.#openSockets--;
      this.#decided(socket);
      onClosed();
    });
    socket.on("error", (err) => this.#options.log.debug({ err, client: peerName(socket) }, "client socket failed"));
    if (adopted) {
      const undecided = { socket, reader };
      reader.deliverTo((bytes, start, end, lease) => this.#firstBytes(undecided, bytes, start, end, lease));
      socket.resume();
    } else {
      const undecided = { socket, reader: undefined };
      socket.once("data", (chunk: Buffer) => {
        socket.pause();
        this.#firstBytes(undecided, chunk, 0, chunk.length, undefined);
      });
      socket.resume();
    }
  }

  /** It has spoken, or gone. */
  #decided(socket: Socket): void {
    this.#undecided.get(socket)?.();
    this.#undecided.delete(socket);
  }

  #createTlsServer(material: TlsMaterial): TlsServer {
    const { onLimit, clock, handshakeTimeoutMs } = this.#options;
    return new TlsServer({
      material,
      clock,
      handshakeTimeoutMs,
      onSecure: (socket, certificate) => this.#secured(socket, certificate),
      onFailed: (socket, reason, code) => {
        if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") onLimit("handshakeTimeout", { client: hostName(socket) });
        else this.#logPaced(socket, "TLS handshake failed", { code, reason });
      },
    });
  }

  #secured(socket: TLSSocket, certificate: ClientCertificate): void {
    const { flusher, buffers, onClient, traffic, onReadDoor = RUNTIME_DOOR } = this.#options;
    const reader = new ReusedBufferReader(buffers);
    const installed = onReadDoor.install(socket, reader) ? reader : undefined;
    const transport = new Transport(socket, flusher, installed, false, traffic);
    const { servername } = socket;
    onClient({
      transport,
      peer: peerName(socket),
      host: hostName(socket),
      first: undefined,
      certificateNames: certificate.t === "accepted" ? certificate.names : [],
      ...(servername && { servername }),
      ...(certificate.t === "refused" && { refusal: this.#refusal(socket, certificate.reason) }),
    });
  }

  /** What a client is told that may not be served; the log says it, too. */
  #refusal(socket: Socket, reason: string): GatewayError {
    this.#refusals.refused(hostName(socket), reason);
    return new GatewayError("unauthenticated", reason);
  }

  /** Hand the client over by what it speaks, or refuse it in its own language. */
  #firstBytes(undecided: Undecided, bytes: Buffer, start: number, end: number, lease: ReadBuffer | undefined): void {
    const { tlsMode } = this.#options;
    const { socket } = undecided;
    const kind = helloKind(bytes, start, end);
    this.#decided(socket);
    if (kind === "tls" && this.#tlsServer) {
      if (undecided.reader) undecided.reader.isPaused = true;
      socket.pause();
      socket.unshift(Buffer.from(bytes.subarray(start, end)));
      this.#tlsServer.accept(socket);
      return;
    }
    if (kind !== "http2") this.#logPaced(socket, "not a client of ours", { speaks: kind, tlsMode });
    if (kind === "http2") {
      const { flusher, traffic } = this.#options;
      const transport = new Transport(socket, flusher, undecided.reader, false, traffic);
      const first = undecided.reader ? { bytes, start, end, lease } : undefined;
      if (!first) socket.unshift(bytes);
      const refusal = tlsMode === "required" && { refusal: this.#refusal(socket, TLS_REQUIRED) };
      const client = { peer: peerName(socket), host: hostName(socket), certificateNames: [] };
      this.#options.onClient({ transport, ...client, first, ...refusal });
      return;
    }
    this.#refuse(undecided, REFUSALS[kind]);
  }

  /** Once for each client, event and minute. */
  #logPaced(socket: Socket, event: string, fields: Readonly<Record<string, string | undefined>>): void {
    const client = hostName(socket);
    const count = this.#paced.count([client, event, ...Object.values(fields)].join(" "));
    if (count !== undefined) this.#options.log.info({ client, ...fields, count }, event);
  }

  /** Say why, and read on without looking: closing over unread bytes would take the words away from the client again. */
  #refuse({ socket, reader }: Undecided, words: Buffer): void {
    if (reader) reader.deliverTo(() => {});
    else socket.resume();
    socket.end(words);
    const cancel = this.#options.clock.after(REFUSAL_GRACE_MS, () => socket.destroy());
    socket.once("close", cancel);
  }
}

function hostName({ remoteAddress }: Socket): string {
  return remoteAddress ?? "unix";
}

function peerName({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? "unix" : hostPort(remoteAddress, remotePort ?? 0);
}
