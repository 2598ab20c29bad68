/**
 * HTTP/2 frames as bytes (RFC 9113 §4, §6), written apart from the product's
 * own code so that a test does not share its mistakes. Nothing here refuses to
 * write a frame that breaks the rules: misbehaving is what tests need it for.
 */

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

/** RFC 9113 §4.2. */
const LARGEST_FRAME_BYTES = 16_384;

/** Frame flags; what a bit means depends on the frame's type. */
export const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Identifiers of settings (RFC 9113 §6.5.2). */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

export const FRAME_HEADER_BYTES = 9;

/** Both windows before anybody says otherwise (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** The largest window there is (RFC 9113 §6.9.1). */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** What a client sends first (RFC 9113 §3.4); its SETTINGS frame follows. */
export const CLIENT_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** One frame, its payload already without anything but what the type defines. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The 9 bytes in front of a payload. */
export function encodeFrameHeader(lengthBytes: number, type: number, flags: number, streamId: number): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(lengthBytes, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return header;
}

/** Any frame. */
export function encodeFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  return Buffer.concat([encodeFrameHeader(payload.length, type, flags, streamId), payload]);
}

/** SETTINGS from pairs of identifier and value. */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  settings.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return encodeFrame(FrameType.SETTINGS, 0, 0, payload);
}

export function settingsAckFrame(): Buffer {
  return encodeFrame(FrameType.SETTINGS, Flag.ACK, 0);
}

/** HEADERS with a whole HPACK block, and CONTINUATION for what does not fit into the largest frame that every peer takes. */
export function headersFrame(streamId: number, block: Uint8Array, isEndStream = false): Buffer {
  const endStream = isEndStream ? Flag.END_STREAM : 0;
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += LARGEST_FRAME_BYTES) {
    const piece = block.subarray(at, at + LARGEST_FRAME_BYTES);
    const endHeaders = at + LARGEST_FRAME_BYTES >= block.length ? Flag.END_HEADERS : 0;
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    pieces.push(encodeFrame(type, endHeaders | (at === 0 ? endStream : 0), streamId, piece));
  }
  return Buffer.concat(pieces);
}

/** DATA; with `paddingBytes` given also the PADDED flag, even for 0. */
export function dataFrame(streamId: number, data: Uint8Array, isEndStream = false, paddingBytes?: number): Buffer {
  const flags = isEndStream ? Flag.END_STREAM : 0;
  if (paddingBytes === undefined) return encodeFrame(FrameType.DATA, flags, streamId, data);
  const payload = Buffer.concat([Buffer.of(paddingBytes), data, Buffer.alloc(paddingBytes)]);
  return encodeFrame(FrameType.DATA, flags | Flag.PADDED, streamId, payload);
}

export function windowUpdateFrame(streamId: number, incrementBytes: number): Buffer {
  return encodeFrame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(incrementBytes));
}

export function rstStreamFrame(streamId: number, errorCode: number): Buffer {
  return encodeFrame(FrameType.RST_STREAM, 0, streamId, uint32(errorCode));
}

/** PING; `opaque` is 8 bytes. */
export function pingFrame(opaque: Uint8Array, isAck = false): Buffer {
  return encodeFrame(FrameType.PING, isAck ? Flag.ACK : 0, 0, opaque);
}

export function goawayFrame(lastStreamId: number, errorCode: number, debug = ""): Buffer {
  const payload = Buffer.concat([uint32(lastStreamId), uint32(errorCode), Buffer.from(debug, "latin1")]);
  return encodeFrame(FrameType.GOAWAY, 0, 0, payload);
}

/** The pairs in the payload of a SETTINGS frame, in their order. */
export function readSettings(payload: Buffer): [id: number, value: number][] {
  const settings: [number, number][] = [];
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    settings.push([payload.readUInt16BE(at), payload.readUInt32BE(at + 2)]);
  }
  return settings;
}

/** The payload of DATA or HEADERS without padding and without priority fields. */
export function unpadded(frame: Frame): Buffer {
  const isPadded = (frame.flags & Flag.PADDED) !== 0;
  const start = isPadded ? 1 : 0;
  const end = frame.payload.length - (isPadded ? (frame.payload[0] ?? 0) : 0);
  const hasPriority = frame.type === FrameType.HEADERS && (frame.flags & Flag.PRIORITY) !== 0;
  return frame.payload.subarray(start + (hasPriority ? 5 : 0), end);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
