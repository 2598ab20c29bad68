import { constants, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import type { Cancel, Clock } from "../base/clock.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { type ClientCertificate, clientCertificate } from "./client-certificate.ts";

/** Keys of session tickets are replaced this often: whoever has stolen them reads no more than that. */
const ROTATE_TICKETS_MS = 3_600_000;

const TICKET_KEY_BYTES = 48;

/**
 * Those that RFC 9113 does not prohibit for HTTP/2 (§9.2.2, appendix A) and
 * that OpenSSL offers: authenticated, with ephemeral keys. By version: 1.3, 1.2.
 */
const CIPHER_SUITES = [
  "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
  "ECDHE+AESGCM:ECDHE+CHACHA20",
].join(":");

/** What handshakes are made with, and who hears of them. */
export interface TlsServerOptions {
  /** With a `ca`, clients are asked for a certificate of it. */
  readonly material: TlsMaterial;
  readonly clock: Clock;
  readonly handshakeTimeoutMs: number;
  readonly onSecure: (socket: TLSSocket, certificate: ClientCertificate) => void;
  /** The handshake has failed; `reason` is in OpenSSL's words. The socket is closed. */
  readonly onFailed: (socket: Socket, reason: string, code: string | undefined) => void;
}

/**
 * Makes TLS handshakes on sockets that are handed to it, each with the
 * certificates that are in force at that moment. What has been made stays.
 *
 * A client without a certificate that is asked for one is let in as `refused`,
 * to be told why: clients of grpc-go's keep what a failed handshake says to
 * themselves, and wait.
 */
export class TlsServer {
  readonly #server: Server;
  readonly #cancels: Cancel[] = [];
  #cancelRotation: Cancel = () => {};

  constructor({ material, clock, handshakeTimeoutMs, onSecure, onFailed }: TlsServerOptions) {
    const isAsking = material.ca !== undefined;
    this.#server = createServer({
      ...contextOptions(material),
      ...(isAsking && { requestCert: true, rejectUnauthorized: false }),
      ALPNProtocols: ["h2"],
      handshakeTimeout: handshakeTimeoutMs,
    });
    this.#server.on("secureConnection", (socket) => onSecure(socket, clientCertificate(socket, material.ca)));
    // OpenSSL's own message is several lines with addresses in them; its reason is what people can read.
    this.#server.on("tlsClientError", (err: Error & { code?: string; reason?: string }, socket) => {
      onFailed(socket, err.reason ?? err.message, err.code);
      socket.destroy();
    });
    const stopListening = material.onChange?.(() => this.#server.setSecureContext(contextOptions(material)));
    if (stopListening) this.#cancels.push(stopListening);
    const rotate = (): void => {
      this.#server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
      this.#cancelRotation = clock.after(ROTATE_TICKETS_MS, rotate);
    };
    this.#cancelRotation = clock.after(ROTATE_TICKETS_MS, rotate);
  }

  /** Begin a handshake. */
  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  /** Follow nothing any more. */
  close(): void {
    this.#cancelRotation();
    for (const cancel of this.#cancels) cancel();
  }
}

function contextOptions({ ca, cert, key }: TlsMaterial): TlsOptions {
  return {
    ...(cert && { cert }),
    ...(key && { key }),
    ...(ca && { ca }),
    // A resumed session shows no certificate again: an authority that is no longer trusted would still let its clients in.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (ca ? constants.SSL_OP_NO_TICKET : 0),
    ciphers: CIPHER_SUITES,
    minVersion: "TLSv1.2",
  };
}
