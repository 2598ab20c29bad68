import { gunzipSync, inflateSync } from "node:zlib";

/** Octets before each message: a flag and a length (grpc/grpc doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message). */
export const GRPC_PREFIX_BYTES = 5;

/** Longest message that is unpacked: BuildKit takes no longer one, and unpacking holds up everybody. */
const MAX_UNPACKED_BYTES = 16 * 1024 * 1024;

/** What the start of a gRPC message stream holds. */
export type FirstMessage =
  | { readonly t: "incomplete"; readonly wantedBytes: number }
  | { readonly t: "message"; readonly message: Buffer; readonly endOffset: number }
  | { readonly t: "malformed"; readonly reason: string };

/**
 * Read the first message of a call's request body.
 *
 * `encoding` is the request's `grpc-encoding`; identity, gzip and deflate are
 * what gRPC implementations send. A compressed message may grow to `maxBytes`.
 */
export function readFirstMessage(body: Buffer, encoding: string | undefined, maxBytes: number): FirstMessage {
  if (body.length < GRPC_PREFIX_BYTES) return { t: "incomplete", wantedBytes: GRPC_PREFIX_BYTES };
  const flag = body[0]!;
  const endOffset = GRPC_PREFIX_BYTES + body.readUInt32BE(1);
  if (flag > 1) return { t: "malformed", reason: `message flag ${flag}` };
  if (endOffset > body.length) return { t: "incomplete", wantedBytes: endOffset };
  const payload = body.subarray(GRPC_PREFIX_BYTES, endOffset);
  if (flag === 0) return { t: "message", message: payload, endOffset };
  try {
    const message = decompress(payload, encoding, Math.min(maxBytes, MAX_UNPACKED_BYTES));
    if (!message) return { t: "malformed", reason: `grpc-encoding ${JSON.stringify(encoding ?? "")}` };
    return { t: "message", message, endOffset };
  } catch {
    return { t: "malformed", reason: `message is not ${encoding}, or over ${maxBytes} bytes` };
  }
}

function decompress(payload: Buffer, encoding: string | undefined, maxOutputLength: number): Buffer | undefined {
  if (encoding === "gzip") return gunzipSync(payload, { maxOutputLength });
  if (encoding === "deflate") return inflateSync(payload, { maxOutputLength });
  return undefined;
}

/** A message with its prefix, uncompressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(GRPC_PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, GRPC_PREFIX_BYTES);
  return framed;
}
