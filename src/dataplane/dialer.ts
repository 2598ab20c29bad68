import { constants } from "node:crypto";
import { connect as connectTcp, isIP, type TcpNetConnectOpts } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from "node:tls";
import type { Address } from "../base/address.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { ReadBufferPool } from "./read-buffers.ts";
import { type OnReadOption, ReusedBufferReader } from "./socket-reader.ts";

/** A replica whose machine is gone is noticed by TCP, as at a Go client: first probe after this, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/** A stream that is being opened, and how it is read. */
export interface Dialed {
  readonly stream: Duplex;
  readonly reader: ReusedBufferReader | undefined;
  /** Event after which bytes flow; absent where they flow at once. */
  readonly openEvent: "connect" | "secureConnect" | undefined;
  /** It may hold what was written beyond the write's callback: memory that is used again must be copied. */
  readonly keepsWritten: boolean;
}

/**
 * Open a stream to a replica. Errors come as the stream's `error` event.
 *
 * With `tls` the replica's certificate must carry `servername`, or the host of
 * its address, and HTTP/2 is offered by ALPN; a replica that selects nothing is
 * taken at its word, as buildx does.
 */
export function dial(address: Address, tls: TlsMaterial | undefined, buffers: ReadBufferPool): Dialed {
  const reader = new ReusedBufferReader(buffers);
  if (!tls) {
    const socket = connectTcp({ ...target(address), onread: reader.option } as TcpNetConnectOpts);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return { stream: socket, reader, openEvent: "connect", keepsWritten: false };
  }
  const host = address.t === "tcp" ? address.host : "localhost";
  const name = tls.servername ?? host;
  const { ca, cert, key } = tls;
  const options: ConnectionOptions & { readonly onread: OnReadOption } = {
    ...target(address),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    // An IP address may not be sent as a server name (RFC 6066 §3), but is what the certificate is checked for.
    ...(isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    // RFC 9113 §9.2.1.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    onread: reader.option,
  };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return { stream: socket, reader, openEvent: "secureConnect", keepsWritten: false };
}

function target(address: Address): { host: string; port: number } | { path: string } {
  return address.t === "tcp" ? { host: address.host, port: address.port } : { path: address.path };
}
