import { FRAME_HEADER_BYTES, FrameFlag, FrameType, writeFrameHeader } from "../http2/frames.ts";
import type { FrameConnection } from "./frame-connection.ts";
import type { ReadBuffer } from "./read-buffers.ts";
import type { Stream } from "./stream.ts";

/**
 * DATA on its way from a chunk that was just read to the connection it goes to.
 *
 * Each frame's header is rewritten where it lies; frames that lie next to each
 * other and go to the same connection leave as one piece of memory.
 */
export class ForwardRun {
  #chunk: Buffer = EMPTY;
  #lease: ReadBuffer | undefined;
  #target: FrameConnection | undefined;
  #start = 0;
  #end = 0;

  /** A chunk is about to be read. */
  begin(chunk: Buffer, lease: ReadBuffer | undefined): void {
    this.#chunk = chunk;
    this.#lease = lease;
  }

  /** Hand `bytes[start, end)` on as one DATA frame of `target`, whose windows have room for it. */
  forward(target: Stream, bytes: Buffer, start: number, end: number, isEndOfStream: boolean): void {
    const { connection } = target;
    const size = end - start;
    target.sendWindow -= size;
    connection.sendWindow -= size;
    connection.floods.dataSent(size);
    if (start >= FRAME_HEADER_BYTES && bytes === this.#chunk) {
      const frameStart = start - FRAME_HEADER_BYTES;
      const flags = isEndOfStream ? FrameFlag.END_STREAM : 0;
      writeFrameHeader(bytes, frameStart, size, FrameType.DATA, flags, target.id);
      if (this.#target !== connection || this.#end !== frameStart) {
        this.flush();
        this.#target = connection;
        this.#start = frameStart;
      }
      this.#end = end;
    } else {
      this.flush();
      // No room for a header in front, or a frame put together from pieces: memory that nobody reads into again.
      connection.writer.data(target.id, bytes.subarray(start, end), isEndOfStream, this.#lease);
    }
    if (isEndOfStream) target.localEnded();
  }

  /** Give what was collected to its connection, which is returned. Before anything else is written anywhere. */
  flush(): FrameConnection | undefined {
    const target = this.#target;
    if (target) {
      this.#target = undefined;
      target.transport.write(this.#chunk.subarray(this.#start, this.#end), this.#lease);
    }
    return target;
  }

  /** The chunk has been read to its end. */
  finish(): FrameConnection | undefined {
    const target = this.flush();
    this.#chunk = EMPTY;
    this.#lease = undefined;
    return target;
  }
}

const EMPTY = Buffer.alloc(0);
