import { FRAME_HEADER_BYTES } from "./frames.ts";

/** Where a {@link FrameReader} puts what it reads. */
export interface FrameSink {
  /** Asked once per frame: whether `frame` needs the payload. What is not wanted is only counted, never copied. */
  wantsPayload(type: number, flags: number, streamId: number, lengthBytes: number): boolean;
  /** A frame is complete. Its payload, if wanted, is `bytes[start, start + lengthBytes)` and may be overwritten after the call. */
  frame(type: number, flags: number, streamId: number, lengthBytes: number, bytes: Buffer, start: number): void;
}

const NO_BYTES = Buffer.alloc(0);

/** Cuts a byte stream, however it arrives, into HTTP/2 frames. Limits no length. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerFill = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #lengthBytes = 0;
  #missingBytes = 0;
  /** Gathers a wanted payload that came in pieces. */
  #gathered: Buffer | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Read `chunk[start, end)`. The chunk may be reused when the call is over. */
  push(chunk: Buffer, start = 0, end = chunk.length): void {
    let at = start;
    while (at < end) {
      if (this.#headerFill < FRAME_HEADER_BYTES) {
        if (this.#headerFill === 0 && end - at >= FRAME_HEADER_BYTES) {
          this.#readHeader(chunk, at);
          at += FRAME_HEADER_BYTES;
        } else {
          const take = Math.min(FRAME_HEADER_BYTES - this.#headerFill, end - at);
          chunk.copy(this.#header, this.#headerFill, at, at + take);
          at += take;
          this.#headerFill += take;
          if (this.#headerFill < FRAME_HEADER_BYTES) return;
          this.#readHeader(this.#header, 0);
        }
        const isWanted = this.#sink.wantsPayload(this.#type, this.#flags, this.#streamId, this.#lengthBytes);
        if (end - at >= this.#lengthBytes) {
          this.#complete(isWanted ? chunk : NO_BYTES, isWanted ? at : 0);
          at += this.#lengthBytes;
          continue;
        }
        this.#gathered = isWanted ? Buffer.allocUnsafe(this.#lengthBytes) : undefined;
      }
      const take = Math.min(this.#missingBytes, end - at);
      if (this.#gathered) chunk.copy(this.#gathered, this.#lengthBytes - this.#missingBytes, at, at + take);
      at += take;
      this.#missingBytes -= take;
      if (this.#missingBytes === 0) this.#complete(this.#gathered ?? NO_BYTES, 0);
    }
  }

  #readHeader(from: Buffer, at: number): void {
    this.#lengthBytes = (from[at]! << 16) | (from[at + 1]! << 8) | from[at + 2]!;
    this.#type = from[at + 3]!;
    this.#flags = from[at + 4]!;
    this.#streamId = ((from[at + 5]! & 0x7f) << 24) | (from[at + 6]! << 16) | (from[at + 7]! << 8) | from[at + 8]!;
    this.#missingBytes = this.#lengthBytes;
    this.#headerFill = FRAME_HEADER_BYTES;
  }

  #complete(bytes: Buffer, start: number): void {
    this.#headerFill = 0;
    this.#gathered = undefined;
    this.#sink.frame(this.#type, this.#flags, this.#streamId, this.#lengthBytes, bytes, start);
  }
}
