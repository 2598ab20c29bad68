import {
  FRAME_HEADER_BYTES,
  FrameFlag,
  FrameType,
  frame,
  goawayFrame,
  writeFrameHeader,
  writeUint32,
} from "../http2/frames.ts";
import type { HeaderField } from "../http2/header-field.ts";
import { RepeatingEncoder } from "../http2/repeated-blocks.ts";
import type { ReadBuffer } from "./read-buffers.ts";
import type { Transport } from "./transport.ts";

const SETTINGS_ACK = frame(FrameType.SETTINGS, FrameFlag.ACK, 0, Buffer.alloc(0));

/** Writes frames to one peer. Knows nothing of windows or states: its callers have checked. */
export class FrameWriter {
  readonly #transport: Transport;
  readonly #encoder = new RepeatingEncoder();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** HEADERS, with as many CONTINUATION frames as the peer's largest frame asks for. */
  headers(streamId: number, fields: readonly HeaderField[], isEndOfStream: boolean, maxFrameBytes: number): void {
    const block = this.#encoder.encode(fields);
    let type: number = FrameType.HEADERS;
    let flags = isEndOfStream ? FrameFlag.END_STREAM : 0;
    let at = 0;
    do {
      const end = Math.min(block.length, at + maxFrameBytes);
      if (end === block.length) flags |= FrameFlag.END_HEADERS;
      this.#frame(type, flags, streamId, block.subarray(at, end));
      type = FrameType.CONTINUATION;
      flags = 0;
      at = end;
    } while (at < block.length);
  }

  /** One DATA frame. `payload` must not change until it has left; a `lease` is held that long. */
  data(streamId: number, payload: Buffer, isEndOfStream: boolean, lease?: ReadBuffer): void {
    this.#header(payload.length, FrameType.DATA, isEndOfStream ? FrameFlag.END_STREAM : 0, streamId, 0);
    this.#transport.write(payload, lease);
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.#header(4, FrameType.WINDOW_UPDATE, 0, streamId, 4);
    writeUint32(this.#transport.scratch, at, bytes);
  }

  reset(streamId: number, code: number): void {
    const at = this.#header(4, FrameType.RST_STREAM, 0, streamId, 4);
    writeUint32(this.#transport.scratch, at, code);
  }

  settingsAck(): void {
    this.#transport.write(SETTINGS_ACK);
  }

  /** Answers a PING ahead of collected DATA: the peer measures its round trip by it. */
  pingAck(opaque: Buffer): void {
    this.#transport.writeUrgent(frame(FrameType.PING, FrameFlag.ACK, 0, opaque));
  }

  goaway(lastStreamId: number, code: number, debug: string): void {
    this.#transport.write(goawayFrame(lastStreamId, code, debug));
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#header(payload.length, type, flags, streamId, 0);
    this.#transport.write(payload);
  }

  /** Write a frame header with `room` octets behind it; returns where those begin in the scratch. */
  #header(payloadBytes: number, type: number, flags: number, streamId: number, room: number): number {
    const at = this.#transport.reserve(FRAME_HEADER_BYTES + room);
    writeFrameHeader(this.#transport.scratch, at, payloadBytes, type, flags, streamId);
    return at + FRAME_HEADER_BYTES;
  }
}
