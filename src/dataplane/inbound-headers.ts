import type { Cancel } from "../base/clock.ts";
import { ConnectionError, ErrorCode } from "../http2/errors.ts";
import { DEFAULT_WINDOW_BYTES } from "../http2/frames.ts";
import type { HeaderField } from "../http2/header-field.ts";
import { isInformational, requestFault, responseFault, trailersFault } from "../http2/header-rules.ts";
import type { RequestHandler } from "./connection-options.ts";
import type { FrameConnection } from "./frame-connection.ts";
import { HeaderReader, type ReadHeaders } from "./header-reader.ts";
import { CallOverLimit } from "./over-limit.ts";
import { SoundLists } from "./sound-lists.ts";
import { Stream } from "./stream.ts";

/** What is known of header lists, of all connections: a list belongs to one of them, and goes with it. */
const REQUESTS = new SoundLists(requestFault);
const RESPONSES = new SoundLists(responseFault);
const TRAILERS = new SoundLists(trailersFault);

/** Acts on header lists: requests on a server's side, responses on a client's, trailers on both. */
export class InboundHeaders {
  readonly #connection: FrameConnection;
  readonly #reader: HeaderReader;
  /** Absent while no header block is open. */
  #cancelTimeout: Cancel | undefined;

  constructor(connection: FrameConnection) {
    this.#connection = connection;
    const { limits, requests } = connection.options;
    this.#reader = new HeaderReader(limits.headerListBytes, requests ? "headerListBytes" : "replicaHeaderListBytes");
  }

  /** Between HEADERS and END_HEADERS no other frame may come (RFC 9113 §6.2). */
  requireNoBlock(): void {
    this.#reader.requireNoBlock();
  }

  headersFrame(flags: number, streamId: number, payload: Buffer): void {
    this.#headersRead(this.#reader.headers(flags, streamId, payload));
    if (this.#reader.isInBlock) this.#awaitEnd();
  }

  continuationFrame(flags: number, streamId: number, payload: Buffer): void {
    this.#headersRead(this.#reader.continuation(flags, streamId, payload));
  }

  #awaitEnd(): void {
    const { clock, limits } = this.#connection.options;
    this.#cancelTimeout = clock.after(limits.headersTimeoutMs, () => this.#connection.closeForSlowHeaders());
  }

  /** The block has ended, or the connection. */
  stop(): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
  }

  #headersRead(read: ReadHeaders | undefined): void {
    if (!read) return;
    this.stop();
    const { streamId, isEndOfStream, isSelfDependent, decoded } = read;
    const known = this.#connection.streams.get(streamId);
    const { requests } = this.#connection.options;
    if (requests && !known && streamId % 2 === 1 && this.#connection.streams.isNew(streamId)) {
      this.#requestRead(read, requests);
      return;
    }
    if (!known?.isReadable) {
      this.#headersOnAbsent(streamId, known);
      return;
    }
    if (decoded.t === "tooLarge") {
      const { headerListBytes } = this.#connection.options.limits;
      const text = `header list of at least ${decoded.listBytes} bytes over ${headerListBytes}`;
      this.#connection.writeReset(known, ErrorCode.CANCEL);
      this.#connection.options.handler.overLimit("replicaHeaderListBytes");
      known.wasLost(new CallOverLimit("replicaHeaderListBytes", text));
      return;
    }
    if (isSelfDependent || !this.#advance(known, decoded.fields, isEndOfStream)) {
      this.#connection.faultStream(known, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    known.receiver.headers(decoded.fields, isEndOfStream);
    if (isEndOfStream) known.remoteEnded();
  }

  /** One more header list of a message: interim responses, the response, trailers (RFC 9113 §8.1). False: malformed. */
  #advance(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): boolean {
    if (stream.hasReceivedHeaders) {
      return isEndOfStream && TRAILERS.look(fields).isSound && stream.receiveContent(0, true);
    }
    const { isSound, contentBytes } = RESPONSES.look(fields);
    if (!isSound) return false;
    if (isInformational(fields)) {
      this.#connection.floods.countControlFrame("interim responses");
      return !isEndOfStream;
    }
    stream.beginReceiving(contentBytes);
    return stream.receiveContent(0, isEndOfStream);
  }

  #requestRead({ streamId, isEndOfStream, isSelfDependent, decoded }: ReadHeaders, requests: RequestHandler): void {
    const { limits } = this.#connection.options;
    this.#connection.streams.lastPeerId = streamId;
    const { isSound, contentBytes } = decoded.t === "ok" ? REQUESTS.look(decoded.fields) : UNKNOWN;
    const isMalformed = isSelfDependent || !isSound || (isEndOfStream && contentBytes > 0);
    if (isMalformed || this.#connection.streams.size >= limits.streams) {
      if (!isMalformed) this.#connection.options.handler.overLimit("streams");
      this.#connection.resetAbsent(streamId, isMalformed ? ErrorCode.PROTOCOL_ERROR : ErrorCode.REFUSED_STREAM);
      return;
    }
    this.#connection.floods.usefulFrameCame();
    const stream = new Stream(
      this.#connection,
      streamId,
      this.#connection.peer.initialWindowBytes,
      DEFAULT_WINDOW_BYTES,
    );
    stream.beginReceiving(contentBytes);
    this.#connection.streams.add(stream);
    if (isEndOfStream) stream.remoteEnded();
    if (decoded.t === "tooLarge") requests.requestTooLarge(stream, decoded.listBytes);
    else requests.requestOpened(stream, decoded.fields, isEndOfStream);
  }

  #headersOnAbsent(streamId: number, stream: Stream | undefined): void {
    if (stream) {
      this.#connection.faultStream(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    this.#connection.streams.refuseIdle(streamId, "HEADERS");
    if (this.#connection.options.requests && this.#connection.streams.absence(streamId) === "closed") {
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `HEADERS on closed stream ${streamId}`);
    }
    this.#connection.floods.countControlFrame("HEADERS on closed streams");
    this.#connection.resetAbsent(streamId, ErrorCode.STREAM_CLOSED);
  }
}

/** Of a list that is too large to be looked at. */
const UNKNOWN = { isSound: true, contentBytes: -1 };
