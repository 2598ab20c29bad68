import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, createSecureContext, connect as tlsConnect } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import type { TlsMaterial } from "../base/tls-material.ts";

type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>;
type ConnectResult = Awaited<ReturnType<Connector["connect"]>>;

/** What a channel does with its sockets. */
export interface TrackedCredentialsOptions {
  /** Absent: cleartext. */
  readonly tls?: TlsMaterial;
  /** Name that the peer's certificate must carry unless `tls.servername` says another. */
  readonly host: string;
}

/**
 * Channel credentials that know the channel's sockets.
 *
 * Closing a grpc-js channel closes its connections politely: against a peer
 * that has stopped reading, the socket stays open for ever. A gateway that
 * checks a frozen replica every few seconds must be able to let go of it.
 */
export class TrackedCredentials extends ChannelCredentials {
  readonly #tls: TlsMaterial | undefined;
  readonly #host: string;
  readonly #sockets = new Set<Socket>();
  #isDestroyed = false;

  /** Throws what node:tls throws on certificates that it cannot read. */
  constructor({ tls, host }: TrackedCredentialsOptions) {
    super();
    this.#tls = tls;
    this.#host = host;
    if (tls) tlsOptions(tls, host);
  }

  /** Close every connection of the channel, now, and any that it still makes. */
  destroySockets(): void {
    this.#isDestroyed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  override _isSecure(): boolean {
    return this.#tls !== undefined;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(_target: unknown, _options: unknown, callCredentials?: CallCredentials): Connector {
    return {
      connect: (socket) => this.#connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  #connect(socket: Socket): Promise<ConnectResult> {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#isDestroyed) socket.destroy();
    if (!this.#tls) return Promise.resolve({ socket, secure: false });
    // Made anew for each connection: the certificates may have been replaced.
    const options = tlsOptions(this.#tls, this.#host);
    return new Promise((resolve, reject) => {
      const secured = tlsConnect({ ...options, socket }, () => resolve({ socket: secured, secure: true }));
      secured.on("error", reject);
      secured.once("close", () => reject(new Error("connection closed in the TLS handshake")));
    });
  }
}

function tlsOptions({ ca, cert, key, servername }: TlsMaterial, host: string): ConnectionOptions {
  const name = servername ?? host;
  return {
    secureContext: createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
    ALPNProtocols: ["h2"],
    // An address is checked against the certificate, but is no name to ask for (RFC 6066 §3).
    ...(isIP(name) === 0 ? { servername: name } : { host: name }),
  };
}
