import type { Clock } from "../base/clock.ts";
import type { HeaderField } from "../http2/header-field.ts";
import type { LimitName } from "./over-limit.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** Bounds of one connection. Every number comes from the configuration. */
export interface ConnectionLimits {
  /** Header list a peer may send, counted as RFC 9113 §6.5.2 does. */
  readonly headerListBytes: number;
  /** Frames per second that move nothing: PING, SETTINGS, PRIORITY, empty DATA. */
  readonly controlFramesPerSecond: number;
  /** RST_STREAM per second. */
  readonly resetsPerSecond: number;
  /** Time from the beginning of a header block to its end. */
  readonly headersTimeoutMs: number;
  /** Streams that a client may have open at once. */
  readonly streams: number;
  /** Output that may wait before we stop reading whoever produces it. */
  readonly backlogBytes: number;
}

/** What the owner of a connection is told. */
export interface ConnectionHandler {
  /** The peer's first SETTINGS are in force. */
  ready(): void;
  /** The peer will take no stream above `lastStreamId`. */
  goingAway(lastStreamId: number, code: number, debug: string): void;
  /** The peer has gone past a limit; its call or connection is ended. */
  overLimit(limit: LimitName): void;
  /** Reading it met what is no fault of the peer's; it is being closed. For the log. */
  readingFailed(error: unknown): void;
  /** A stream has closed. */
  streamClosed(): void;
  /** The connection is over; every stream has been told. Called once. */
  ended(cause: Error): void;
}

/** Server side: who takes requests. */
export interface RequestHandler {
  /** A request has begun. Set `stream.receiver` before returning. */
  requestOpened(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): void;
  /** A request whose header list is over the limit; its fields are not known. */
  requestTooLarge(stream: Stream, listBytes: number): void;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly handler: ConnectionHandler;
  /** Present on the server's side of a connection, and only there. */
  readonly requests: RequestHandler | undefined;
}
