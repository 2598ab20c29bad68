import { ConnectionError, ErrorCode } from "../http2/errors.ts";
import type { Stream } from "./stream.ts";

/** Streams that we reset and whose late frames are excused (RFC 9113 §5.1, "closed"). */
const MAX_REMEMBERED_RESETS = 256;

/** What is known of a stream id that has no open stream. */
export type AbsentStream = "idle" | "resetByUs" | "closed";

/** The streams of one connection, by id, and what became of those that are gone. */
export class StreamTable {
  readonly #open = new Map<number, Stream>();
  /** Allocated with the first. */
  #resetByUs: Set<number> | undefined;
  /** The last stream looked up: bulk data asks for the same one again and again. */
  #recent: Stream | undefined;
  /** Highest id that the peer has opened. */
  lastPeerId = 0;
  /** Highest id that we have opened; the next is 2 more. */
  lastOwnId = -1;

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    if (this.#recent?.id === id) return this.#recent;
    const stream = this.#open.get(id);
    if (stream) this.#recent = stream;
    return stream;
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
  }

  remove(stream: Stream): void {
    this.#open.delete(stream.id);
    if (this.#recent === stream) this.#recent = undefined;
  }

  /** A copy, so that streams may end while it is walked. */
  all(): Stream[] {
    return [...this.#open.values()];
  }

  /** Whether the peer may open a stream with this id: ids only grow (RFC 9113 §5.1.1). */
  isNew(id: number): boolean {
    return id > this.lastPeerId;
  }

  rememberReset(id: number): void {
    this.#resetByUs ??= new Set();
    this.#resetByUs.add(id);
    if (this.#resetByUs.size > MAX_REMEMBERED_RESETS) {
      for (const oldest of this.#resetByUs) {
        this.#resetByUs.delete(oldest);
        break;
      }
    }
  }

  /** Why there is no open stream with this id. Stream 0 counts as idle: nothing may name it where a stream is meant. */
  absence(id: number): AbsentStream {
    const isOwn = this.lastOwnId > 0 ? id % 2 === 1 && id <= this.lastOwnId : false;
    const isPeers = id % 2 === 1 && id <= this.lastPeerId;
    if (!isOwn && !isPeers) return "idle";
    return this.#resetByUs?.has(id) ? "resetByUs" : "closed";
  }

  /** Refuse a frame on a stream that nobody has opened (RFC 9113 §5.1, "idle"). */
  refuseIdle(id: number, frameName: string): void {
    if (this.absence(id) === "idle") {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frameName} on idle stream ${id}`);
    }
  }
}
