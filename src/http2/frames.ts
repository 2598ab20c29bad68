/** Frame types, flags and layouts of HTTP/2 (RFC 9113 §6), and writers for the small control frames. */
import { ConnectionError, ErrorCode } from "./errors.ts";

/** Octets in a frame header (RFC 9113 §4.1). */
export const FRAME_HEADER_BYTES = 9;

/** Largest payload every peer accepts, and the largest this switch accepts (RFC 9113 §4.2). */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;

/** Largest flow-control window (RFC 9113 §6.9.1). */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** Flow-control window of a new stream or connection before any SETTINGS (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** What a client sends first (RFC 9113 §3.4). */
export const CLIENT_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Frame types (RFC 9113 §6). */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** Frame flags (RFC 9113 §6); `ACK` and `END_STREAM` share a bit on different frames. */
export const FrameFlag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Write a frame header into `target` at `at`. The caller has checked every range. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  target[at] = payloadBytes >>> 16;
  target[at + 1] = payloadBytes >>> 8;
  target[at + 2] = payloadBytes;
  target[at + 3] = type;
  target[at + 4] = flags;
  target[at + 5] = streamId >>> 24;
  target[at + 6] = streamId >>> 16;
  target[at + 7] = streamId >>> 8;
  target[at + 8] = streamId;
}

/** Write `value` as four octets, most significant first. */
export function writeUint32(target: Buffer, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** One whole frame as bytes of its own. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** A GOAWAY frame; `debug` is text for whoever reads the peer's log (RFC 9113 §6.8). */
export function goawayFrame(lastStreamId: number, code: number, debug: string): Buffer {
  const text = Buffer.from(debug, "latin1");
  const payload = Buffer.allocUnsafe(8 + text.length);
  writeUint32(payload, 0, lastStreamId);
  writeUint32(payload, 4, code);
  payload.set(text, 8);
  return frame(FrameType.GOAWAY, 0, 0, payload);
}

/** Parts of a HEADERS payload that may be there besides the block (RFC 9113 §6.2). */
export interface HeadersPayload {
  /** The header block fragment. */
  readonly fragment: Buffer;
  /** The stream that the deprecated priority fields depend on; -1 without them. */
  readonly dependsOn: number;
}

/**
 * Take padding and the deprecated priority fields off a HEADERS payload.
 * Throws ConnectionError: FRAME_SIZE_ERROR where the fields that its flags
 * promise do not fit (RFC 9113 §4.2), PROTOCOL_ERROR where its padding does not.
 */
export function readHeadersPayload(flags: number, payload: Buffer): HeadersPayload {
  const isPadded = (flags & FrameFlag.PADDED) !== 0;
  const priorityStart = isPadded ? 1 : 0;
  const start = priorityStart + (flags & FrameFlag.PRIORITY ? 5 : 0);
  if (payload.length < start) {
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `HEADERS of ${payload.length} bytes for ${start} of fields`);
  }
  const end = payload.length - (isPadded ? payload[0]! : 0);
  if (end < start) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS padding longer than its frame");
  return {
    fragment: payload.subarray(start, end),
    dependsOn: start > priorityStart ? payload.readUInt32BE(priorityStart) & 0x7fff_ffff : -1,
  };
}
