import type { Cancel, Clock } from "../base/clock.ts";
import type { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import type { ConnectionHandler, ConnectionLimits, RequestHandler } from "./connection-options.ts";
import { FrameConnection } from "./frame-connection.ts";
import type { FirstBytes } from "./listener.ts";
import type { LimitName, OnLimit } from "./over-limit.ts";
import { refuse, refusedWith } from "./refusal.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** What a refused client's connection is made of. */
export interface RefusedClientOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ConnectionLimits;
  /** For the client's first call. */
  readonly handshakeTimeoutMs: number;
  /** Why it is refused. */
  readonly refusal: GatewayError;
  /** Its address without the port. */
  readonly host: string;
  readonly onLimit: OnLimit;
  /** Its connection is over. Called once. */
  readonly onEnded: () => void;
}

/**
 * One client's connection on which the first call is answered with why nothing
 * is served, and which then closes.
 *
 * A GOAWAY alone would not do: to grpc-go a call that was not answered is one
 * to be made again on another connection, at once and without end (seen: 3,000
 * connections in a second from one buildx).
 */
export class RefusedClient implements ConnectionHandler, RequestHandler {
  /** It may be sent away at any time. */
  readonly idleMs = Number.POSITIVE_INFINITY;
  readonly #options: RefusedClientOptions;
  readonly #frames: FrameConnection;
  readonly #cancelTimeout: Cancel;

  constructor(options: RefusedClientOptions) {
    const { transport, clock, limits, handshakeTimeoutMs, refusal } = options;
    this.#options = options;
    this.#frames = new FrameConnection({ transport, clock, limits, handler: this, requests: this });
    this.#cancelTimeout = clock.after(handshakeTimeoutMs, () => {
      this.overLimit("handshakeTimeout");
      this.close(refusal.message);
    });
  }

  /** Begin to serve; `first` has been read already. */
  start(first: FirstBytes | undefined): void {
    this.#frames.start();
    if (first) this.#frames.receive(first.bytes, first.start, first.end, first.lease);
  }

  close(reason: string): void {
    this.#frames.close(ErrorCode.INADEQUATE_SECURITY, reason);
  }

  requestOpened(stream: Stream): void {
    const { refusal } = this.#options;
    refuse(stream, refusedWith(refusal));
    this.close(refusal.message);
  }

  requestTooLarge(stream: Stream): void {
    this.requestOpened(stream);
  }

  ready(): void {}

  goingAway(): void {}

  overLimit(limit: LimitName): void {
    const { host, onLimit } = this.#options;
    onLimit(limit, { client: host });
  }

  readingFailed(error: unknown): void {
    const { log, host } = this.#options;
    log.error({ err: error, client: host }, "reading a connection failed");
  }

  streamClosed(): void {}

  ended(): void {
    this.#cancelTimeout();
    this.#options.onEnded();
  }
}
