import { FRAME_HEADER_BYTES } from "../http2/frames.ts";

/** Octets kept free before each read, so that a frame header fits in front of it without a copy. */
export const HEADROOM_BYTES = FRAME_HEADER_BYTES;

/** Read size for a connection that moves bulk data. */
const LARGE_READ_BYTES = 256 * 1024;

/** Read size for a connection that is idle or moves small messages. */
export const SMALL_READ_BYTES = 4 * 1024;

/** Large buffers kept for reuse by the whole process: 64 × 256 KiB. */
const MAX_IDLE_LARGE = 64;

/**
 * A buffer that a socket was read into, shared by everybody who still writes
 * from it. It returns to the pool when the last of them has let go.
 *
 * The small one is common to all sockets, so that idle connections have none of
 * their own: what is in it is valid until the next read of any of them.
 */
export class ReadBuffer {
  readonly bytes: Buffer;
  /** Where a read goes while nothing of the buffer is in use. */
  readonly #room: Buffer;
  readonly #pool: ReadBufferPool;
  #holders = 0;

  constructor(pool: ReadBufferPool, capacityBytes: number) {
    this.#pool = pool;
    this.bytes = Buffer.allocUnsafeSlow(HEADROOM_BYTES + capacityBytes);
    this.#room = this.bytes.subarray(HEADROOM_BYTES);
  }

  /** Where a read goes behind `used` octets and the headroom; the same object for all that begin at 0. */
  roomAfter(used: number): Buffer {
    return used === 0 ? this.#room : this.bytes.subarray(used + HEADROOM_BYTES);
  }

  /** How much one read may bring. */
  get capacityBytes(): number {
    return this.bytes.length - HEADROOM_BYTES;
  }

  /** Nobody but the reader holds it: it may be read into again. */
  get isUnshared(): boolean {
    return this.#holders === 1;
  }

  get isLarge(): boolean {
    return this.capacityBytes === LARGE_READ_BYTES;
  }

  /** All sockets read into it: whoever keeps something of it copies that. */
  get isCommon(): boolean {
    return !this.isLarge;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#pool.giveBack(this);
  }
}

/** Read buffers for all connections of a process: large ones for bulk, and one small one for all others together. */
export class ReadBufferPool {
  readonly #idleLarge: ReadBuffer[] = [];
  readonly #small = new ReadBuffer(this, SMALL_READ_BYTES);

  /** The common small one, or a large one with one holder: the caller. */
  take(isBulk: boolean): ReadBuffer {
    if (!isBulk) return this.#small;
    const buffer = this.#idleLarge.pop() ?? new ReadBuffer(this, LARGE_READ_BYTES);
    buffer.retain();
    return buffer;
  }

  /** Called by a buffer that nobody holds. */
  giveBack(buffer: ReadBuffer): void {
    if (this.#idleLarge.length < MAX_IDLE_LARGE) this.#idleLarge.push(buffer);
  }
}
