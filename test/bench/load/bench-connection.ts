import type { Socket } from "node:net";
import { FrameReader } from "../../support/raw-http2/frame-reader.ts";
import {
  DEFAULT_WINDOW_BYTES,
  Flag,
  FrameType,
  pingFrame,
  readSettings,
  Setting,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../support/raw-http2/frames.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, WINDOW_STEP_BYTES } from "./shapes.ts";

/** What both ends keep of a stream. */
export interface BenchStream {
  readonly id: number;
  /** What the peer still lets us send. */
  sendWindowBytes: number;
  /** Received and not yet granted again. */
  ungrantedBytes: number;
}

const OUT_BUFFER_BYTES = 128 * 1024;

/**
 * One end of a benchmark connection: fast because it keeps little, and strict in
 * what it sends. It answers SETTINGS and PING, keeps the windows both ways, and
 * collects small frames so that one read leads to one write.
 */
export abstract class BenchConnection<S extends BenchStream> {
  readonly socket: Socket;
  readonly streams = new Map<number, S>();
  /** The connection's window, as the peer last left it. */
  sendWindowBytes = DEFAULT_WINDOW_BYTES;
  protected peerInitialWindowBytes = DEFAULT_WINDOW_BYTES;
  protected peerMaxStreams = Number.POSITIVE_INFINITY;
  protected peerHeaderTableBytes = 4_096;
  #hasPeerSettings = false;
  #ungrantedBytes = 0;
  readonly #reader: FrameReader;
  /** The part of a header block that came before a CONTINUATION. */
  #partialBlock: { readonly flags: number; readonly bytes: Buffer } | undefined;
  #out: Buffer = Buffer.allocUnsafeSlow(OUT_BUFFER_BYTES);
  #outFill = 0;
  readonly #spare: Buffer[] = [];
  readonly #writing: Buffer[] = [];

  protected constructor(socket: Socket) {
    this.socket = socket;
    this.#reader = new FrameReader({
      wantsPayload: (type, _flags, streamId) => type !== FrameType.DATA || this.wantsData(streamId),
      frame: (type, flags, streamId, lengthBytes, bytes, start) =>
        this.#frame(type, flags, streamId, lengthBytes, bytes, start),
    });
  }

  /** Whether `onData` needs the bytes. */
  protected abstract wantsData(streamId: number): boolean;
  protected abstract onHeaders(streamId: number, isEndStream: boolean, block: Buffer): void;
  protected abstract onData(stream: S, isEndStream: boolean, lengthBytes: number, bytes: Buffer, start: number): void;
  protected abstract onReset(streamId: number, errorCode: number): void;
  protected abstract onGoaway(errorCode: number, debug: string): void;
  /** The peer's first SETTINGS are in force. */
  protected abstract onReady(): void;
  /** Some window has grown. */
  protected abstract onWindow(): void;

  /** Our SETTINGS and the connection's window. */
  protected begin(): void {
    this.append(settingsFrame([[Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES]]));
    this.append(windowUpdateFrame(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES));
  }

  protected read(bytes: Buffer, start: number, end: number): void {
    this.#reader.push(bytes, start, end);
    this.flush();
  }

  /** Put small frames into the next write; never DATA that no window has room for. */
  append(frames: Buffer): number {
    if (this.#outFill + frames.length > OUT_BUFFER_BYTES) this.flush();
    const at = this.#outFill;
    this.#out.set(frames, at);
    this.#outFill += frames.length;
    return at;
  }

  /** Write a stream id into a frame header that {@link append} has placed at `at`. */
  protected setStreamId(at: number, streamId: number): void {
    this.#out.writeUInt32BE(streamId, at + 5);
  }

  flush(): void {
    if (this.#outFill === 0) return;
    this.#writing.push(this.#out);
    this.socket.write(this.#out.subarray(0, this.#outFill), this.#written);
    this.#out = this.#spare.pop() ?? Buffer.allocUnsafeSlow(OUT_BUFFER_BYTES);
    this.#outFill = 0;
  }

  readonly #written = (): void => {
    const buffer = this.#writing.shift();
    if (buffer) this.#spare.push(buffer);
  };

  #frame(type: number, flags: number, streamId: number, lengthBytes: number, bytes: Buffer, start: number): void {
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, streamId, lengthBytes, bytes, start);
        return;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        this.#headers(type, flags, streamId, bytes.subarray(start, start + lengthBytes));
        return;
      case FrameType.WINDOW_UPDATE: {
        const increment = bytes.readUInt32BE(start);
        const stream = this.streams.get(streamId);
        if (streamId === 0) this.sendWindowBytes += increment;
        else if (stream) stream.sendWindowBytes += increment;
        this.onWindow();
        return;
      }
      case FrameType.RST_STREAM:
        this.onReset(streamId, bytes.readUInt32BE(start));
        return;
      case FrameType.SETTINGS:
        if (!(flags & Flag.ACK)) this.#settings(bytes.subarray(start, start + lengthBytes));
        return;
      case FrameType.PING:
        if (!(flags & Flag.ACK)) this.append(pingFrame(bytes.subarray(start, start + lengthBytes), true));
        return;
      case FrameType.GOAWAY:
        this.onGoaway(bytes.readUInt32BE(start + 4), bytes.toString("latin1", start + 8, start + lengthBytes));
        return;
    }
  }

  #data(flags: number, streamId: number, lengthBytes: number, bytes: Buffer, start: number): void {
    const isEndStream = (flags & Flag.END_STREAM) !== 0;
    this.#ungrantedBytes += lengthBytes;
    if (this.#ungrantedBytes >= WINDOW_STEP_BYTES) {
      this.append(windowUpdateFrame(0, this.#ungrantedBytes));
      this.#ungrantedBytes = 0;
    }
    const stream = this.streams.get(streamId);
    if (!stream) return;
    stream.ungrantedBytes += lengthBytes;
    if (stream.ungrantedBytes >= WINDOW_STEP_BYTES && !isEndStream) {
      this.append(windowUpdateFrame(streamId, stream.ungrantedBytes));
      stream.ungrantedBytes = 0;
    }
    const padding = flags & Flag.PADDED && bytes.length > 0 ? bytes[start]! + 1 : 0;
    this.onData(stream, isEndStream, lengthBytes - padding, bytes, start + (padding > 0 ? 1 : 0));
  }

  #headers(type: number, flags: number, streamId: number, fragment: Buffer): void {
    let block = fragment;
    let allFlags = flags;
    if (type === FrameType.HEADERS) {
      const padded = flags & Flag.PADDED ? 1 : 0;
      const skip = padded + (flags & Flag.PRIORITY ? 5 : 0);
      block = fragment.subarray(skip, fragment.length - (padded ? fragment[0]! : 0));
    } else if (this.#partialBlock) {
      block = Buffer.concat([this.#partialBlock.bytes, fragment]);
      allFlags |= this.#partialBlock.flags;
    }
    if (flags & Flag.END_HEADERS) {
      this.#partialBlock = undefined;
      this.onHeaders(streamId, (allFlags & Flag.END_STREAM) !== 0, block);
    } else {
      this.#partialBlock = { flags: allFlags, bytes: Buffer.from(block) };
    }
  }

  #settings(payload: Buffer): void {
    for (const [id, value] of readSettings(payload)) {
      if (id === Setting.INITIAL_WINDOW_SIZE) {
        for (const stream of this.streams.values()) stream.sendWindowBytes += value - this.peerInitialWindowBytes;
        this.peerInitialWindowBytes = value;
      } else if (id === Setting.MAX_CONCURRENT_STREAMS) {
        this.peerMaxStreams = value;
      } else if (id === Setting.HEADER_TABLE_SIZE) {
        this.peerHeaderTableBytes = value;
      }
    }
    this.append(settingsAckFrame());
    if (!this.#hasPeerSettings) {
      this.#hasPeerSettings = true;
      this.onReady();
    }
    this.onWindow();
  }
}
