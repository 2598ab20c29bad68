import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HEADROOM_BYTES, type ReadBuffer, type ReadBufferPool, SMALL_READ_BYTES } from "./read-buffers.ts";

/** So many small reads in a row, and a connection gives its large buffer back. */
const SMALL_READS_TO_SHRINK = 32;

/** Takes what was read: `bytes[start, end)`. `lease` is set when the bytes live in a buffer that is reused. */
export type OnBytes = (bytes: Buffer, start: number, end: number, lease: ReadBuffer | undefined) => void;

/** The part of an `onread` option that Node documents for `net.connect`, and that works for adopted handles too. */
export interface OnReadOption {
  readonly buffer: () => Uint8Array;
  readonly callback: (bytesRead: number, buffer: Uint8Array) => boolean;
}

/**
 * Reads a socket into reused buffers, which is worth 2× in bulk over `data`
 * events. Begins small, grows to large reads when a read fills its buffer, and
 * shrinks again when reads are small, so that idle connections stay cheap.
 */
export class ReusedBufferReader {
  readonly #pool: ReadBufferPool;
  #buffer: ReadBuffer;
  #onBytes: OnBytes | undefined;
  #isPaused = false;
  /** Reads in a row that would have fitted a small buffer. */
  #smallReads = 0;

  constructor(pool: ReadBufferPool) {
    this.#pool = pool;
    this.#buffer = pool.take(false);
  }

  /** Give this to the socket's constructor. */
  get option(): OnReadOption {
    return {
      buffer: () => this.#buffer.bytes.subarray(HEADROOM_BYTES),
      callback: (bytesRead) => this.#read(bytesRead),
    };
  }

  /** From now on bytes go to `onBytes`. */
  deliverTo(onBytes: OnBytes): void {
    this.#onBytes = onBytes;
  }

  /** The next read callback tells Node to stop. */
  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
  }

  #read(bytesRead: number): boolean {
    const buffer = this.#buffer;
    const wasFull = bytesRead === buffer.capacityBytes;
    this.#smallReads = bytesRead < SMALL_READ_BYTES ? this.#smallReads + 1 : 0;
    this.#onBytes?.(buffer.bytes, HEADROOM_BYTES, HEADROOM_BYTES + bytesRead, buffer);
    const isBulk = wasFull || (buffer.isLarge && this.#smallReads < SMALL_READS_TO_SHRINK);
    if (!buffer.isUnshared || isBulk !== buffer.isLarge) {
      buffer.release();
      this.#buffer = this.#pool.take(isBulk);
    }
    return !this.#isPaused;
  }
}

/**
 * Move an accepted, never-read socket's handle into a new socket that reads
 * into reused buffers. `undefined` where this runtime does not offer it.
 *
 * Node has no public way to give `onread` to an accepted socket; `handle` as
 * an option of `net.Socket` is what its own server uses
 * (https://github.com/nodejs/node/issues/25436 asks for a public one).
 */
export function adoptWithReader(accepted: Socket, reader: ReusedBufferReader): Socket | undefined {
  const door = accepted as unknown as { _handle?: { reading?: boolean; readStop?(): void } | null };
  const handle = door._handle;
  if (!handle || typeof handle.readStop !== "function") return undefined;
  handle.readStop();
  handle.reading = false;
  door._handle = null;
  // The server counts its sockets until they are destroyed; without a handle that touches no connection.
  accepted.destroy();
  return new Socket({ handle, onread: reader.option, allowHalfOpen: false } as ConstructorParameters<typeof Socket>[0]);
}

/** Read any stream by its `data` events: TLS, in-process pairs, and runtimes without the door above. */
export function readByEvents(stream: Duplex, onBytes: OnBytes): void {
  stream.on("data", (chunk: Buffer) => onBytes(chunk, 0, chunk.length, undefined));
}
