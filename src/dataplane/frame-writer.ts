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
    const flags = isEndOfStream ? FrameFlag.END_STREAM : 0;
    if (block.length <= maxFrameBytes) {
      this.#header(block.length, FrameType.HEADERS, flags | FrameFlag.END_HEADERS, streamId, 0);
      this.#transport.write(block);
      return;
    }
    // In one piece of memory: an answer to a PING overtakes what is collected, but must not get between these.
    const frames = [frame(FrameType.HEADERS, flags, streamId, block.subarray(0, maxFrameBytes))];
    for (let at = maxFrameBytes; at < block.length; at += maxFrameBytes) {
      const isLast = at + maxFrameBytes >= block.length;
      const rest = block.subarray(at, at + maxFrameBytes);
      frames.push(frame(FrameType.CONTINUATION, isLast ? FrameFlag.END_HEADERS : 0, streamId, rest));
    }
    this.#transport.write(Buffer.concat(frames));
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

  /** Ask the peer for a sign of life. */
  ping(): void {
    this.#transport.write(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
  }

  goaway(lastStreamId: number, code: number, debug: string): void {
    this.#transport.write(goawayFrame(lastStreamId, code, debug));
  }

  /** Write a frame header with `room` octets behind it; returns where those begin in the scratch. */
  #header(payloadBytes: number, type: number, flags: number, streamId: number, room: number): number {
    const at = this.#transport.reserve(FRAME_HEADER_BYTES + room);
    writeFrameHeader(this.#transport.scratch, at, payloadBytes, type, flags, streamId);
    return at + FRAME_HEADER_BYTES;
  }
}
