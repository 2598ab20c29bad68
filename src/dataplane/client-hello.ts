import { ErrorCode } from "../http2/errors.ts";
import { CLIENT_PREFACE, goawayFrame } from "../http2/frames.ts";
import { settingsFrame } from "../http2/settings.ts";

/** What a client's first bytes are. */
export type HelloKind =
  /** A TLS record of type handshake (RFC 8446 §5.1). */
  | "tls"
  /** The HTTP/2 preface, or what may become it. */
  | "http2"
  /** A request line of HTTP/1. */
  | "http1"
  | "unknown";

const TLS_HANDSHAKE = 0x16;

const HTTP1_REQUEST = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /;

/** Tell what a client speaks. `bytes[start, end)` holds at least one. */
export function helloKind(bytes: Buffer, start: number, end: number): HelloKind {
  if (bytes[start] === TLS_HANDSHAKE) return "tls";
  const size = Math.min(end - start, CLIENT_PREFACE.length);
  if (CLIENT_PREFACE.compare(bytes, start, start + size, 0, size) === 0) return "http2";
  return HTTP1_REQUEST.test(bytes.toString("latin1", start, Math.min(end, start + 16))) ? "http1" : "unknown";
}

const HTTP1_TEXT = "this is a gRPC port: it speaks HTTP/2 and nothing else\n";

/** What is sent, in its own language, to a client that does not speak what is spoken here; then its connection is closed. */
export const REFUSALS = {
  http1: Buffer.from(
    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nConnection: close, Upgrade\r\n" +
      `Content-Type: text/plain\r\nContent-Length: ${HTTP1_TEXT.length}\r\n\r\n${HTTP1_TEXT}`,
  ),
  /** A fatal alert, protocol_version (RFC 8446 §6): TLS is off here. */
  tls: Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]),
  unknown: Buffer.concat([settingsFrame([]), goawayFrame(0, ErrorCode.PROTOCOL_ERROR, "not HTTP/2")]),
} as const satisfies Record<Exclude<HelloKind, "http2">, Buffer>;
