import type { Duplex } from "node:stream";
import type { ReadBuffer } from "./read-buffers.ts";
import type { OnBytes, ReusedBufferReader } from "./socket-reader.ts";
import { Traffic } from "./traffic.ts";
import type { Flushable, TurnFlusher } from "./turn-flusher.ts";

/** Collected output beyond this leaves at once instead of at the end of the turn. */
const FLUSH_AT_BYTES = 512 * 1024;

/** How a transport came to its end; `error` is absent where the peer just closed. */
export type TransportEnd = { readonly error: Error | undefined };

/** One piece of output: memory, and who must hear that it has been written. */
interface Segment {
  readonly bytes: Buffer;
  readonly lease: ReadBuffer | undefined;
}

/**
 * A byte pipe to one peer: a socket, a TLS socket or one end of an in-process
 * pair. Collects output and writes it once per turn; says how much has not
 * left yet, so that whoever produces can stop.
 */
export class Transport implements Flushable {
  readonly #stream: Duplex;
  readonly #flusher: TurnFlusher;
  readonly #keepsWritten: boolean;
  readonly #reader: ReusedBufferReader | undefined;
  #segments: Segment[] = [];
  #urgent: Segment[] = [];
  #collectedBytes = 0;
  #isScheduled = false;
  /** Bytes given to the stream whose write has not completed. */
  #inFlightBytes = 0;
  #inFlightWrites = 0;
  #scratch: Buffer | undefined;
  /** Octets of the scratch in use, and where the unsealed part of it begins. */
  #scratchUsed = 0;
  #scratchSealed = 0;
  #isReadPaused = false;
  #onDrain: (() => void) | undefined;
  #onEnd: ((end: TransportEnd) => void) | undefined;
  #error: Error | undefined;

  readonly #traffic: Traffic;

  /**
   * `keepsWritten`: the stream may hold what was written beyond the write's
   * callback, so it gets copies. `traffic`: where its bytes are counted.
   */
  constructor(
    stream: Duplex,
    flusher: TurnFlusher,
    reader?: ReusedBufferReader,
    keepsWritten = false,
    traffic = new Traffic(),
  ) {
    this.#traffic = traffic;
    this.#keepsWritten = keepsWritten;
    this.#stream = stream;
    this.#flusher = flusher;
    this.#reader = reader;
  }

  /**
   * Begin to read. `onEnd` is called once, when the peer has closed or the
   * stream is destroyed; nothing is delivered afterwards.
   */
  start(deliver: OnBytes, onEnd: (end: TransportEnd) => void): void {
    this.#onEnd = onEnd;
    const stream = this.#stream;
    const traffic = this.#traffic;
    const onBytes: OnBytes = (bytes, start, end, lease) => {
      traffic.receivedBytes += end - start;
      deliver(bytes, start, end, lease);
    };
    stream.on("error", (error) => {
      this.#error = error;
    });
    stream.on("end", () => this.#ended());
    stream.on("close", () => {
      this.#ended();
      this.#reader?.close();
    });
    this.#reader?.deliverTo(onBytes);
    if (this.#reader) this.#reader.readOn = () => void stream.resume();
    // Without a reader everything comes by events; with one, only what was read before it was there.
    stream.on("data", (chunk: Buffer) => onBytes(chunk, 0, chunk.length, undefined));
    // Whoever had it before may have paused it.
    stream.resume();
    if (stream.destroyed || stream.readableEnded) setImmediate(() => this.#ended());
  }

  #ended(): void {
    const onEnd = this.#onEnd;
    if (!onEnd) return;
    this.#onEnd = undefined;
    onEnd({ error: this.#error });
  }

  /** Bytes that have not left yet. */
  get backlogBytes(): number {
    return this.#collectedBytes + this.#inFlightBytes;
  }

  /** Call `onDrain` once, when everything written so far has left. */
  onceDrained(onDrain: () => void): void {
    const previous = this.#onDrain;
    this.#onDrain = previous
      ? () => {
          previous();
          onDrain();
        }
      : onDrain;
  }

  get isReadPaused(): boolean {
    return this.#isReadPaused;
  }

  pauseReading(): void {
    this.#isReadPaused = true;
    if (this.#reader) this.#reader.isPaused = true;
    this.#stream.pause();
  }

  resumeReading(): void {
    this.#isReadPaused = false;
    if (this.#reader) this.#reader.isPaused = false;
    this.#stream.resume();
  }

  /**
   * Room for `size` octets (at most 1,024) of a small frame; write them at the
   * returned offset of {@link scratch} before anything else is written.
   */
  reserve(size: number): number {
    if (!this.#scratch || this.#scratchUsed + size > this.#scratch.length) {
      this.#seal();
      this.#scratch = this.#flusher.takeScratch();
      this.#scratchUsed = 0;
      this.#scratchSealed = 0;
    }
    const at = this.#scratchUsed;
    this.#scratchUsed += size;
    this.#collected(size);
    return at;
  }

  /** The memory that the last {@link reserve} is about. */
  get scratch(): Buffer {
    return this.#scratch!;
  }

  /** Write bytes that nobody will change. With a `lease`, it is held until they have left. */
  write(bytes: Buffer, lease?: ReadBuffer): void {
    if (bytes.length <= 1_024) {
      const at = this.reserve(bytes.length);
      bytes.copy(this.scratch, at);
      return;
    }
    this.#seal();
    if (lease?.isCommon) this.#segments.push({ bytes: Buffer.from(bytes), lease: undefined });
    else {
      lease?.retain();
      this.#segments.push({ bytes, lease });
    }
    this.#collected(bytes.length);
    if (this.#collectedBytes >= FLUSH_AT_BYTES) this.#writeOut();
  }

  /** Write a whole frame ahead of everything that is still collected here. */
  writeUrgent(frame: Buffer): void {
    this.#urgent.push({ bytes: frame, lease: undefined });
    this.#collected(frame.length);
  }

  #collected(size: number): void {
    this.#collectedBytes += size;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#flusher.schedule(this);
  }

  /** Turn the open part of the scratch into a segment, so that order is kept. */
  #seal(): void {
    if (!this.#scratch || this.#scratchUsed === this.#scratchSealed) return;
    this.#segments.push({ bytes: this.#scratch.subarray(this.#scratchSealed, this.#scratchUsed), lease: undefined });
    this.#scratchSealed = this.#scratchUsed;
  }

  flush(): void {
    this.#isScheduled = false;
    this.#writeOut();
  }

  #writeOut(): void {
    this.#seal();
    const size = this.#collectedBytes;
    if (size === 0) return;
    let segments = this.#urgent.length === 0 ? this.#segments : [...this.#urgent, ...this.#segments];
    this.#collectedBytes = 0;
    this.#segments = [];
    this.#urgent = [];
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) {
      for (const { lease } of segments) lease?.release();
      return;
    }
    if (this.#keepsWritten) {
      const copy = Buffer.concat(segments.map(({ bytes }) => bytes));
      for (const { lease } of segments) lease?.release();
      segments = [{ bytes: copy, lease: undefined }];
    }
    this.#traffic.sentBytes += size;
    this.#inFlightBytes += size;
    this.#inFlightWrites++;
    const written = (): void => this.#written(size, segments);
    const last = segments.length - 1;
    if (last === 0) {
      stream.write(segments[0]!.bytes, written);
      return;
    }
    stream.cork();
    for (let i = 0; i < last; i++) stream.write(segments[i]!.bytes);
    stream.write(segments[last]!.bytes, written);
    stream.uncork();
  }

  #written(size: number, segments: readonly Segment[]): void {
    this.#inFlightBytes -= size;
    this.#inFlightWrites--;
    for (const { lease } of segments) lease?.release();
    if (this.#inFlightWrites > 0 || this.#collectedBytes > 0) return;
    if (this.#scratch) {
      this.#flusher.giveBackScratch(this.#scratch);
      this.#scratch = undefined;
    }
    const onDrain = this.#onDrain;
    this.#onDrain = undefined;
    onDrain?.();
  }

  /** Write what is collected, then close. */
  end(): void {
    this.#writeOut();
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end();
  }

  /** Close now; what has not left is lost. */
  destroy(): void {
    this.#stream.destroy();
  }
}
