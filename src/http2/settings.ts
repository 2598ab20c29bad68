import { ConnectionError, ErrorCode } from "./errors.ts";
import { DEFAULT_MAX_FRAME_BYTES, DEFAULT_WINDOW_BYTES, FrameType, frame, MAX_WINDOW_BYTES } from "./frames.ts";

/** Identifiers of settings (RFC 9113 §6.5.2). */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** Most entries read from one SETTINGS frame; real peers send fewer than ten. */
const MAX_ENTRIES = 128;

/** What a peer has said about itself. Starts at the protocol's initial values (RFC 9113 §6.5.2). */
export class PeerSettings {
  initialWindowBytes: number = DEFAULT_WINDOW_BYTES;
  maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES;
  maxConcurrentStreams: number = Number.POSITIVE_INFINITY;

  /**
   * Take in the payload of one SETTINGS frame, in order.
   *
   * The encoder uses no dynamic table, so HEADER_TABLE_SIZE asks nothing of it.
   * Throws ConnectionError with the code RFC 9113 §6.5 names for each fault.
   */
  apply(payload: Buffer, isFromServer: boolean): void {
    if (payload.length % 6 !== 0) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `SETTINGS of ${payload.length} bytes`);
    }
    if (payload.length > MAX_ENTRIES * 6) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `SETTINGS with ${payload.length / 6} entries`);
    }
    for (let at = 0; at < payload.length; at += 6) {
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2), isFromServer);
    }
  }

  #set(id: number, value: number, isFromServer: boolean): void {
    switch (id) {
      case SettingId.ENABLE_PUSH:
        if (value > 1 || (isFromServer && value === 1)) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `SETTINGS_ENABLE_PUSH of ${value}`);
        }
        break;
      case SettingId.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        break;
      case SettingId.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES) {
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `SETTINGS_INITIAL_WINDOW_SIZE of ${value}`);
        }
        this.initialWindowBytes = value;
        break;
      case SettingId.MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > 0xff_ffff) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `SETTINGS_MAX_FRAME_SIZE of ${value}`);
        }
        this.maxFrameBytes = value;
        break;
    }
  }
}

/** A SETTINGS frame with these entries. */
export function settingsFrame(entries: ReadonlyArray<readonly [id: number, value: number]>): Buffer {
  const payload = Buffer.allocUnsafe(entries.length * 6);
  entries.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(FrameType.SETTINGS, 0, 0, payload);
}
