import { ConnectionError, ErrorCode, type ErrorCodeValue } from "../http2/errors.ts";
import { FrameReader } from "../http2/frame-reader.ts";
import { CLIENT_PREFACE, DEFAULT_WINDOW_BYTES } from "../http2/frames.ts";
import type { HeaderField } from "../http2/header-field.ts";
import { PeerSettings, SettingId, settingsFrame } from "../http2/settings.ts";
import { Congestion } from "./congestion.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { ForwardRun } from "./forward-run.ts";
import { FrameWriter } from "./frame-writer.ts";
import { CONNECTION_WINDOW_BYTES, InboundFrames } from "./inbound-frames.ts";
import { ConnectionOverLimit } from "./over-limit.ts";
import { PeerFloods } from "./peer-floods.ts";
import type { ReadBuffer } from "./read-buffers.ts";
import { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import type { Transport } from "./transport.ts";

/** How most connections end; one for all, since a stack trace of it costs and tells nothing. */
const CLOSED_BY_PEER = new Error("connection closed by peer");

/** How long a peer may take to read our GOAWAY and close. */
const CLOSE_GRACE_MS = 1_000;

/**
 * One HTTP/2 connection at frame level: reads frames, keeps streams and
 * windows, answers what is hop by hop. Payload of a stream that has a partner
 * goes to the partner's connection in the memory it was read into.
 */
export class FrameConnection {
  readonly peer = new PeerSettings();
  readonly transport: Transport;
  readonly writer: FrameWriter;
  /** What the peer still takes on the connection as a whole. */
  sendWindow: number = DEFAULT_WINDOW_BYTES;
  /** Payload that waits in streams of this connection. */
  queuedBytes = 0;
  /** How often something was read. */
  reads = 0;
  readonly options: ConnectionOptions;
  readonly #run = new ForwardRun();
  readonly #inbound: InboundFrames;
  readonly #reader: FrameReader;
  readonly streams = new StreamTable();
  readonly congestion: Congestion;
  readonly floods: PeerFloods;
  /** Streams that wait for the connection's window, first come first served. Allocated with the first. */
  #starved: Set<Stream> | undefined;
  /** Streams of ours that wait for the peer's MAX_CONCURRENT_STREAMS. */
  readonly #unopened: Stream[] = [];
  #prefaceLeft: number;
  #state: "starting" | "ready" | "closing" | "closed" = "starting";

  constructor(options: ConnectionOptions) {
    const { transport, limits, clock, requests } = options;
    this.options = options;
    this.transport = transport;
    this.writer = new FrameWriter(transport);
    this.congestion = new Congestion(this, limits.backlogBytes);
    this.floods = new PeerFloods(clock, limits, requests !== undefined);
    this.#inbound = new InboundFrames(this, this.#run);
    this.#reader = new FrameReader(this.#inbound);
    this.#prefaceLeft = requests ? CLIENT_PREFACE.length : 0;
  }

  /** Send our preface and begin to read. A client of grpc-go's sends nothing before it has seen our SETTINGS. */
  start(): void {
    const { requests, limits, transport } = this.options;
    if (!requests) transport.write(CLIENT_PREFACE);
    const entries: [number, number][] = [[SettingId.MAX_HEADER_LIST_SIZE, limits.headerListBytes]];
    if (!requests) entries.push([SettingId.ENABLE_PUSH, 0]);
    transport.write(settingsFrame(entries));
    this.writer.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    // Nothing may overtake our SETTINGS (RFC 9113 §3.4), which an answer to a PING would.
    transport.flush();
    transport.start(
      (bytes, start, end, lease) => this.receive(bytes, start, end, lease),
      ({ error }) => this.#finish(error ?? CLOSED_BY_PEER),
    );
  }

  /** The peer's SETTINGS have not come yet. */
  get isStarting(): boolean {
    return this.#state === "starting";
  }

  /** The peer's SETTINGS have come. */
  becomeReady(): void {
    if (this.#state !== "starting") return;
    this.#state = "ready";
    this.options.handler.ready();
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get openStreams(): number {
    return this.streams.size + this.#unopened.length;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Client side: a new stream. Its first header list must follow at once. */
  openStream(): Stream {
    const stream = new Stream(this, 0, 0, DEFAULT_WINDOW_BYTES);
    if (this.streams.size < this.peer.maxConcurrentStreams) this.#assignId(stream);
    else this.#unopened.push(stream);
    return stream;
  }

  #assignId(stream: Stream): void {
    this.streams.lastOwnId += 2;
    stream.id = this.streams.lastOwnId;
    stream.sendWindow = this.peer.initialWindowBytes;
    this.streams.add(stream);
  }

  /** The peer may take more streams: open those that wait. */
  openWaiting(): void {
    while (this.#unopened.length > 0 && this.streams.size < this.peer.maxConcurrentStreams) {
      const stream = this.#unopened.shift()!;
      this.#assignId(stream);
      stream.drainQueue();
      const grantedBytes = stream.receiveWindow - DEFAULT_WINDOW_BYTES;
      if (grantedBytes > 0) this.writer.windowUpdate(stream.id, grantedBytes);
      stream.receiver.writable();
    }
  }

  /** The peer is going away: streams that wait to be opened will not be. */
  refuseUnopened(): void {
    for (const stream of this.#unopened.splice(0)) stream.wasReset(ErrorCode.REFUSED_STREAM);
  }

  /** Read a chunk that came from the transport. */
  receive(bytes: Buffer, start: number, end: number, lease: ReadBuffer | undefined): void {
    if (this.#state === "closed" || this.#state === "closing") return;
    this.reads++;
    this.#run.begin(bytes, lease);
    try {
      const at = this.#prefaceLeft > 0 ? this.#readPreface(bytes, start, end) : start;
      if (at < end) this.#reader.push(bytes, at, end);
    } catch (error) {
      this.#run.finish();
      this.#closeAfter(error);
      return;
    }
    const target = this.#run.finish();
    if (target) this.congestion.stopReadingFor(target);
    if (this.options.requests && this.congestion.isHopeless) {
      this.#closeAfter(new ConnectionOverLimit("backlogBytes", "answers are not read"));
    }
  }

  /** What went wrong and is ours, not the peer's, must not reach the connections of others. */
  #closeAfter(error: unknown): void {
    if (error instanceof ConnectionError) {
      if (error instanceof ConnectionOverLimit) this.options.handler.overLimit(error.limit);
      this.close(error.code, error.message, error);
      return;
    }
    this.options.handler.readingFailed(error);
    this.close(ErrorCode.INTERNAL_ERROR, "internal error");
  }

  /** A header block has been begun and not ended for too long. */
  closeForSlowHeaders(): void {
    const text = `a header block without an end for ${this.options.limits.headersTimeoutMs} ms`;
    this.#closeAfter(new ConnectionOverLimit("headersTimeout", text));
  }

  #readPreface(bytes: Buffer, start: number, end: number): number {
    const size = Math.min(end - start, this.#prefaceLeft);
    const from = CLIENT_PREFACE.length - this.#prefaceLeft;
    if (CLIENT_PREFACE.compare(bytes, start, start + size, from, from + size) !== 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "not the HTTP/2 client preface");
    }
    this.#prefaceLeft -= size;
    return start + size;
  }

  /** The connection's window has grown: those that waited for it go on. */
  feedStarved(): void {
    const starved = this.#starved;
    if (!starved) return;
    for (const stream of starved) {
      if (this.sendWindow <= 0) return;
      starved.delete(stream);
      stream.drainQueue();
    }
  }

  /** `stream` has payload and a window, but the connection's window is used up. */
  waitForWindow(stream: Stream): void {
    this.#starved ??= new Set();
    this.#starved.add(stream);
  }

  /** The peer broke a rule on one stream (RFC 9113 §5.4.2). */
  faultStream(stream: Stream, code: ErrorCodeValue): void {
    this.floods.countReset();
    this.writeReset(stream, code);
    stream.wasReset(code);
  }

  /**
   * Answer a frame on a stream that may be gone with RST_STREAM, once for a
   * stream (RFC 9113 §5.4.2). None may name an idle stream (§6.4): there the
   * error is the connection's, and thrown.
   */
  resetAbsent(streamId: number, code: ErrorCodeValue): void {
    const stream = this.streams.get(streamId);
    if (stream) {
      this.faultStream(stream, code);
      return;
    }
    const absence = this.streams.absence(streamId);
    if (absence === "idle") throw new ConnectionError(code, `a fault on idle stream ${streamId}`);
    if (absence === "resetByUs") return;
    this.floods.countControlFrame("frames on closed streams");
    this.streams.rememberReset(streamId);
    this.writer.reset(streamId, code);
  }

  writeHeaders(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): void {
    this.writer.headers(stream.id, fields, isEndOfStream, this.peer.maxFrameBytes);
  }

  /** Write one DATA frame and take it off both windows. The memory is copied: it belongs to a read. */
  writeData(stream: Stream, payload: Buffer, isEndOfStream: boolean): void {
    stream.sendWindow -= payload.length;
    this.sendWindow -= payload.length;
    this.floods.dataSent(payload.length);
    this.writer.data(stream.id, payload, isEndOfStream);
  }

  writeReset(stream: Stream, code: number): void {
    if (stream.id === 0) return;
    this.streams.rememberReset(stream.id);
    this.writer.reset(stream.id, code);
  }

  /** A stream has closed: let go of it. */
  forget(stream: Stream): void {
    this.#starved?.delete(stream);
    if (stream.id > 0) this.streams.remove(stream);
    else if (this.#unopened.includes(stream)) this.#unopened.splice(this.#unopened.indexOf(stream), 1);
    this.congestion.check();
    this.options.handler.streamClosed();
    this.openWaiting();
  }

  /** Say GOAWAY and close; open streams are lost. */
  close(code: ErrorCodeValue, debug: string, cause: Error = new Error(debug)): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#inbound.stop();
    this.writer.goaway(this.streams.lastPeerId, code, debug);
    this.transport.end();
    this.options.clock.after(CLOSE_GRACE_MS, () => this.transport.destroy());
    this.#loseStreams(cause);
  }

  /** Close without a word. */
  destroy(cause: Error): void {
    this.transport.destroy();
    this.#finish(cause);
  }

  #finish(cause: Error): void {
    if (this.#state === "closed") return;
    // A peer that has gone reads no more; only a goodbye of ours may still be on its way.
    if (this.#state !== "closing") this.transport.destroy();
    this.#state = "closed";
    this.#inbound.stop();
    this.#loseStreams(cause);
    this.congestion.check();
    this.options.handler.ended(cause);
  }

  #loseStreams(cause: Error): void {
    for (const stream of [...this.streams.all(), ...this.#unopened]) stream.wasLost(cause);
  }
}
