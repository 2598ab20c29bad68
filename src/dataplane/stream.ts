import type { HeaderField } from "../http2/header-field.ts";
import { isInformational } from "../http2/header-rules.ts";
import type { FrameConnection } from "./frame-connection.ts";

/** Who hears what arrives on a stream. One at a time; changing it is how a held stream becomes a spliced one. */
export interface StreamReceiver {
  /** A header list after the first: the response, or trailers. */
  headers(fields: readonly HeaderField[], isEndOfStream: boolean): void;
  /** Payload of DATA. `bytes` is valid only during the call and may be empty. */
  data(bytes: Buffer, isEndOfStream: boolean): void;
  /** The peer ended the stream with RST_STREAM, or broke a rule on it. No more calls follow. */
  reset(code: number): void;
  /** The connection is gone. No more calls follow. */
  lost(error: Error): void;
  /** This stream can take more, or its queue became shorter. */
  writable(): void;
  /** Both directions are over, in whatever way. Called once, after `reset` or `lost`. */
  closed(): void;
}

/** What waits for the peer's window, in order. */
type Queued =
  | { readonly t: "data"; bytes: Buffer; readonly isEndOfStream: boolean }
  | { readonly t: "headers"; readonly fields: readonly HeaderField[]; readonly isEndOfStream: boolean }
  | { readonly t: "reset"; readonly code: number; readonly isEndOfStream: true };

/** Which directions of a stream are over (RFC 9113 §5.1). */
export type StreamState = "open" | "halfClosedLocal" | "halfClosedRemote" | "closed";

/** What `#closeHalf` makes of each state. */
const AFTER_LOCAL_END = {
  open: "halfClosedLocal",
  halfClosedLocal: "halfClosedLocal",
  halfClosedRemote: "closed",
  closed: "closed",
} as const satisfies Record<StreamState, StreamState>;

const AFTER_REMOTE_END = {
  open: "halfClosedRemote",
  halfClosedLocal: "closed",
  halfClosedRemote: "halfClosedRemote",
  closed: "closed",
} as const satisfies Record<StreamState, StreamState>;

/**
 * One HTTP/2 stream at one of its two connections.
 *
 * Windows are kept as what is left: `sendWindow` is what the peer may still be
 * sent, `receiveWindow` what it may still send. Both go below zero when a
 * change of SETTINGS_INITIAL_WINDOW_SIZE asks for it.
 */
export class Stream {
  readonly connection: FrameConnection;
  /** 0 until the stream's HEADERS are written, on a connection that we opened. */
  id: number;
  state: StreamState = "open";
  sendWindow: number;
  receiveWindow: number;
  /** Payload octets that wait for a window. */
  queuedBytes = 0;
  receiver: StreamReceiver;
  /** A header list other than an informational one has been sent: only trailers may follow. */
  hasSentHeaders = false;
  /** The same of the peer. */
  hasReceivedHeaders = false;
  /** Content that the peer has still to send by its `content-length`; -1 where it named none. */
  #promisedBytes = -1;
  /**
   * Where DATA goes without being looked at. While set, `receiver.data` is only
   * called for what the partner cannot take at once.
   */
  partner: Stream | undefined;
  /** Allocated when something first has to wait. */
  #queue: Queued[] | undefined;
  /** What is queued ends our direction: nothing may follow it. */
  #isEnding = false;
  #isForgotten = false;
  /** All that the peer was ever allowed to send. */
  #allowedBytes: number;

  constructor(connection: FrameConnection, id: number, sendWindow: number, receiveWindow: number) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.#allowedBytes = receiveWindow;
    this.receiver = DEAF;
  }

  get isQueueEmpty(): boolean {
    return this.#queue === undefined || this.#queue.length === 0;
  }

  /** Payload octets that have come, padding included. The windows' own books say it, so that counting costs nothing. */
  get receivedBytes(): number {
    return this.#allowedBytes - this.receiveWindow;
  }

  /** Whether `bytes` can be written right now, ahead of nothing. */
  canTakeAtOnce(bytes: number): boolean {
    return (
      this.isQueueEmpty &&
      bytes <= this.sendWindow &&
      bytes <= this.connection.sendWindow &&
      this.id > 0 &&
      this.isWritable
    );
  }

  /** Whether we may still send on it. */
  get isWritable(): boolean {
    return this.state === "open" || this.state === "halfClosedRemote";
  }

  /** Whether the peer may still send on it. */
  get isReadable(): boolean {
    return this.state === "open" || this.state === "halfClosedLocal";
  }

  /** Send a header list, behind whatever is queued. */
  sendHeaders(fields: readonly HeaderField[], isEndOfStream: boolean): void {
    if (!this.isWritable || this.#isEnding) return;
    if (isEndOfStream || !isInformational(fields)) this.hasSentHeaders = true;
    if (this.isQueueEmpty && this.id > 0) {
      this.connection.writeHeaders(this, fields, isEndOfStream);
      if (isEndOfStream) this.localEnded();
    } else this.#enqueue({ t: "headers", fields, isEndOfStream });
  }

  /** Send a copy of `bytes`, as far as windows allow; the rest is queued. */
  sendData(bytes: Buffer, isEndOfStream: boolean): void {
    if (!this.isWritable || this.#isEnding || (bytes.length === 0 && !isEndOfStream)) return;
    const owned = Buffer.from(bytes);
    const sent = this.isQueueEmpty && this.id > 0 ? this.#writeData(owned, isEndOfStream) : 0;
    if (sent >= 0) {
      this.#enqueue({ t: "data", bytes: owned.subarray(sent), isEndOfStream });
      this.#addQueued(bytes.length - sent);
    } else if (isEndOfStream) this.localEnded();
  }

  /** The peer's message begins; `contentBytes` is what its `content-length` says, -1 where it says nothing. */
  beginReceiving(contentBytes: number): void {
    this.hasReceivedHeaders = true;
    this.#promisedBytes = contentBytes;
  }

  /** Take note of content that has come; false where its sum is not what `content-length` says (RFC 9113 §8.1.1). */
  receiveContent(bytes: number, isEndOfStream: boolean): boolean {
    if (this.#promisedBytes < 0) return true;
    this.#promisedBytes -= bytes;
    return isEndOfStream ? this.#promisedBytes === 0 : this.#promisedBytes >= 0;
  }

  /** Let the peer send `bytes` more. Where the stream has no id yet, the peer is told when it has. */
  grant(bytes: number): void {
    if (bytes <= 0 || !this.isReadable) return;
    this.receiveWindow += bytes;
    this.#allowedBytes += bytes;
    if (this.id > 0) this.connection.writer.windowUpdate(this.id, bytes);
  }

  /** End both directions with RST_STREAM. */
  reset(code: number): void {
    if (this.state === "closed") return;
    this.connection.writeReset(this, code);
    this.#close();
  }

  /** End both directions with RST_STREAM once all that is queued has been written. */
  resetWhenSent(code: number): void {
    if (this.isQueueEmpty) this.reset(code);
    else this.#enqueue({ t: "reset", code, isEndOfStream: true });
  }

  /** Write what is queued, as far as windows allow. */
  drainQueue(): void {
    const queue = this.#queue;
    if (!queue || this.isQueueEmpty || this.id === 0) return;
    const before = this.queuedBytes;
    for (let next = queue[0]; next; next = queue[0]) {
      if (next.t === "data") {
        const sent = this.#writeData(next.bytes, next.isEndOfStream);
        if (sent >= 0) {
          this.#addQueued(-sent);
          next.bytes = next.bytes.subarray(sent);
          break;
        }
        this.#addQueued(-next.bytes.length);
      } else if (next.t === "headers") {
        this.connection.writeHeaders(this, next.fields, next.isEndOfStream);
      } else {
        this.reset(next.code);
        break;
      }
      // Last, since it may close the stream and with it the books.
      queue.shift();
      if (next.isEndOfStream) this.localEnded();
    }
    if (this.queuedBytes < before) this.receiver.writable();
  }

  /** The peer has ended its direction. */
  remoteEnded(): void {
    this.state = AFTER_REMOTE_END[this.state];
    if (this.state === "closed") this.#close();
  }

  /** We have ended ours: END_STREAM is written. */
  localEnded(): void {
    this.state = AFTER_LOCAL_END[this.state];
    if (this.state === "closed") this.#close();
  }

  /** The peer reset the stream, or it broke a rule on it. */
  wasReset(code: number): void {
    this.#close(() => this.receiver.reset(code));
  }

  /** The connection is gone. */
  wasLost(error: Error): void {
    this.#close(() => this.receiver.lost(error));
  }

  #close(tell?: () => void): void {
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    this.state = "closed";
    if (this.#queue) this.#queue.length = 0;
    this.#addQueued(-this.queuedBytes);
    this.partner = undefined;
    this.connection.forget(this);
    tell?.();
    this.receiver.closed();
  }

  #enqueue(item: Queued): void {
    this.#queue ??= [];
    this.#isEnding ||= item.isEndOfStream;
    this.#queue.push(item);
  }

  #addQueued(bytes: number): void {
    this.queuedBytes += bytes;
    this.connection.queuedBytes += bytes;
  }

  /** How many octets were written, or -1 when all was, its end included. What an end means is the caller's. */
  #writeData(bytes: Buffer, isEndOfStream: boolean): number {
    const { connection } = this;
    let sent = 0;
    do {
      const room = Math.min(this.sendWindow, connection.sendWindow, connection.peer.maxFrameBytes);
      const left = bytes.length - sent;
      if (left > 0 && room <= 0) {
        if (this.sendWindow > 0) connection.waitForWindow(this);
        return sent;
      }
      const size = left > 0 ? Math.min(left, room) : 0;
      const isLast = size === left;
      connection.writeData(this, bytes.subarray(sent, sent + size), isLast && isEndOfStream);
      sent += size;
    } while (sent < bytes.length);
    return -1;
  }
}

/** For a stream that nobody listens to. */
const DEAF: StreamReceiver = {
  headers() {},
  data() {},
  reset() {},
  lost() {},
  writable() {},
  closed() {},
};
