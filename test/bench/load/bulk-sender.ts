import { dataFrame } from "../../support/raw-http2/frames.ts";
import type { BenchConnection, BenchStream } from "./bench-connection.ts";
import { BULK_FRAME_BYTES, BULK_FRAME_WIRE_BYTES, BULK_FRAMES_PER_MESSAGE, bulkFrames } from "./shapes.ts";

/** Frames in one write at most. */
const BATCH_FRAMES = 16;

/** What may wait in the process for the kernel. */
const MAX_QUEUED_BYTES = 4 * BATCH_FRAMES * BULK_FRAME_WIRE_BYTES;

/** Sends messages on one stream as fast as windows and socket take them, always from the same buffer. */
export class BulkSender {
  readonly #connection: BenchConnection<BenchStream>;
  readonly #stream: BenchStream;
  readonly #frames: Buffer;
  /** Frames of the current message that are sent. */
  #phase = 0;
  #state: "sending" | "finishing" | "finished" = "sending";
  readonly #onFinished: () => void;
  readonly #limitBytes: number;
  /** DATA bytes sent. */
  sentBytes = 0;

  /**
   * `onFinished` is called once the last whole message is on its way, which is by itself after `limitBytes`; ending the
   * stream is the caller's.
   */
  constructor(
    connection: BenchConnection<BenchStream>,
    stream: BenchStream,
    onFinished: () => void,
    limitBytes = Number.POSITIVE_INFINITY,
  ) {
    this.#connection = connection;
    this.#stream = stream;
    this.#frames = bulkFrames(stream.id, BATCH_FRAMES);
    this.#onFinished = onFinished;
    this.#limitBytes = limitBytes;
    connection.socket.on("drain", this.#onDrain);
  }

  readonly #onDrain = (): void => this.pump();

  /** Complete the message and send no other. */
  finish(): void {
    if (this.#state === "sending") this.#state = "finishing";
    this.pump();
  }

  /** The stream is gone: send nothing more, and do not call `onFinished`. */
  abandon(): void {
    this.#state = "finished";
    this.#connection.socket.off("drain", this.#onDrain);
  }

  /** Send what may be sent now. Call it when a window has grown. */
  pump(): void {
    const { socket } = this.#connection;
    while (this.#state !== "finished") {
      if (this.sentBytes >= this.#limitBytes) this.#state = "finishing";
      if (this.#state === "finishing" && this.#phase === 0) {
        this.abandon();
        this.#onFinished();
        return;
      }
      const windowBytes = Math.min(this.#connection.sendWindowBytes, this.#stream.sendWindowBytes);
      const allowed = Math.floor(windowBytes / BULK_FRAME_BYTES);
      if (allowed <= 0 || socket.writableLength >= MAX_QUEUED_BYTES) return;
      const wanted = (this.#state === "finishing" ? BULK_FRAMES_PER_MESSAGE : BATCH_FRAMES) - this.#phase;
      const count = Math.min(wanted, allowed);
      this.#connection.flush();
      const start = this.#phase * BULK_FRAME_WIRE_BYTES;
      socket.write(this.#frames.subarray(start, start + count * BULK_FRAME_WIRE_BYTES));
      this.#connection.sendWindowBytes -= count * BULK_FRAME_BYTES;
      this.#stream.sendWindowBytes -= count * BULK_FRAME_BYTES;
      this.sentBytes += count * BULK_FRAME_BYTES;
      this.#phase = (this.#phase + count) % BULK_FRAMES_PER_MESSAGE;
    }
  }
}

/** The end of a stream that carries nothing more. */
export function endOfStream(streamId: number): Buffer {
  return dataFrame(streamId, Buffer.alloc(0), true);
}
