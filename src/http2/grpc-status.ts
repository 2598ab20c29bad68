import { type GatewayError, GrpcStatus, type GrpcStatusCode } from "../base/errors.ts";
import type { HeaderField } from "./header-field.ts";

/** Longest message sent in `grpc-message`; what is longer is cut. */
const MAX_MESSAGE_BYTES = 8_192;

/**
 * The trailers that end a gRPC call with a status of the gateway's own.
 *
 * The only place that writes `grpc-status`. The message is percent-encoded as
 * gRPC asks: `%` and octets outside 0x20–0x7E, nothing else
 * (grpc/grpc doc/PROTOCOL-HTTP2.md, Status-Message).
 */
export function statusTrailers(code: GrpcStatusCode, message: string): HeaderField[] {
  const trailers = [field("grpc-status", String(code))];
  if (message !== "") trailers.push(field("grpc-message", encodeGrpcMessage(message)));
  return trailers;
}

/** {@link statusTrailers} for an error of the gateway's. */
export function errorTrailers(error: GatewayError): HeaderField[] {
  return statusTrailers(error.status, error.message);
}

/** {@link statusTrailers} for a call that ended well. */
export function okTrailers(): HeaderField[] {
  return statusTrailers(GrpcStatus.OK, "");
}

/** The response headers of a gRPC call that the gateway answers itself; `extra` follows them. */
export function responseHeaders(extra: readonly HeaderField[] = []): HeaderField[] {
  return [field(":status", "200"), field("content-type", "application/grpc"), ...extra];
}

/** A header field that may be indexed. */
export function field(name: string, value: string): HeaderField {
  return { name, value, isSensitive: false };
}

/** Percent-encode a status message for `grpc-message`. */
export function encodeGrpcMessage(message: string): string {
  const whole = Buffer.from(message, "utf8");
  let end = Math.min(whole.length, MAX_MESSAGE_BYTES);
  // Not inside a character: what is left must still be UTF-8.
  while (end < whole.length && (whole[end]! & 0xc0) === 0x80) end--;
  const bytes = whole.subarray(0, end);
  let encoded = "";
  for (const byte of bytes) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
