import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { ClientConnection } from "../identity/callers.ts";
import { CLAIM_HEADER } from "../identity/claim.ts";
import type { Router } from "../routing/router.ts";
import { type CallingClient, type CallServices, ClientCalls } from "./client-calls.ts";
import type { ConnectionHandler, RequestHandler } from "./connection-options.ts";
import type { DownstreamLimits } from "./downstream-limits.ts";
import { FrameConnection } from "./frame-connection.ts";
import type { FirstBytes } from "./listener.ts";
import { CallOverLimit, type LimitName, type OnLimit } from "./over-limit.ts";
import { notGrpc, refuse, refusedWith } from "./refusal.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** What was found out of a client before its first frame. */
export interface ClientFacts {
  /** Its address, for logs. */
  readonly peer: string;
  /** Its address without the port. */
  readonly host: string;
  /** The names of the certificate that it has shown. */
  readonly certificateNames: readonly string[];
}

/** What a client's connection is made of. */
export interface DownstreamOptions {
  readonly transport: Transport;
  readonly client: ClientFacts;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: DownstreamLimits;
  /** Who a client is; `claim` is what its call says of that. */
  readonly identify: (client: ClientConnection, claim: string | undefined) => Caller;
  /**
   * Where a call of a client's goes, which its caller may decide; an error is what
   * it is told. `host`: the client's address.
   */
  readonly choose: (caller: Caller, host: string) => CallServices | GatewayError;
  /** What `choose` says may change while the client is connected, as more is known of who it is. */
  readonly mayChoiceChange: boolean;
  readonly onLimit: OnLimit;
  /** It is over. Called once. */
  readonly onEnded: () => void;
}

/** One client's connection, from its first frame to its last. */
export class DownstreamConnection implements CallingClient, ClientConnection, ConnectionHandler, RequestHandler {
  readonly host: string;
  readonly certificateNames: readonly string[];
  readonly log: Logger;
  readonly #options: DownstreamOptions;
  readonly #frames: FrameConnection;
  readonly #cancelHandshake: Cancel;
  readonly #openedMs: number;
  /** Absent until the first call that may go somewhere. */
  #place: { readonly services: CallServices; readonly calls: ClientCalls } | undefined;

  constructor(options: DownstreamOptions) {
    const { transport, client, clock, log, limits } = options;
    this.host = client.host;
    this.certificateNames = client.certificateNames;
    this.log = log.child({ client: client.peer });
    this.#options = options;
    this.#openedMs = clock.nowMs();
    this.#frames = new FrameConnection({ transport, clock, log, limits: limits.client, handler: this, requests: this });
    this.#cancelHandshake = clock.after(limits.handshakeTimeoutMs, () => {
      this.overLimit("handshakeTimeout");
      this.#frames.close(ErrorCode.SETTINGS_TIMEOUT, "no HTTP/2 SETTINGS in time (limits.handshakeTimeout)");
    });
  }

  /** Begin to serve; `first` has been read already. */
  start(first: FirstBytes | undefined): void {
    this.#frames.start();
    if (first) this.#frames.receive(first.bytes, first.start, first.end, first.lease);
  }

  /** How long no call has been open, in milliseconds; 0 while one is. */
  get idleMs(): number {
    return this.#bound?.idleMs ?? this.#options.clock.nowMs() - this.#openedMs;
  }

  get openCalls(): number {
    return this.#bound?.openCalls ?? 0;
  }

  /** Whether a call of its has been open on this replica, of the pool that `router` belongs to, less than `withinMs` ago. */
  uses(router: Router, replicaId: string, withinMs: number): boolean {
    return this.#bound?.uses(router, replicaId, withinMs) === true;
  }

  /** A replica of the pool that `router` belongs to fails its health checks. */
  suspect(router: Router, replicaId: string): void {
    this.#bound?.suspect(router, replicaId);
  }

  /** Say goodbye and close; open calls are answered first. */
  close(reason: string): void {
    this.#bound?.answerAll(new GatewayError("shutting_down", reason));
    this.#frames.close(ErrorCode.NO_ERROR, reason);
  }

  ready(): void {
    this.#cancelHandshake();
  }

  goingAway(): void {}

  overLimit(limit: LimitName): void {
    this.#options.onLimit(limit, { client: this.host });
  }

  streamClosed(): void {}

  ended(cause: Error): void {
    this.#cancelHandshake();
    this.log.debug({ reason: cause.message }, "client connection ended");
    this.#bound?.ended();
    this.#options.onEnded();
  }

  requestTooLarge(stream: Stream, listBytes: number): void {
    const { headerListBytes } = this.#options.limits.client;
    const text = `request headers of at least ${listBytes} bytes over ${headerListBytes}`;
    this.overLimit("headerListBytes");
    refuse(stream, refusedWith(new CallOverLimit("headerListBytes", text)));
  }

  requestOpened(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): void {
    const refusal = notGrpc(fields);
    if (refusal) {
      refuse(stream, refusal);
      return;
    }
    const calls = this.#callsFor(fields);
    if (calls instanceof GatewayError) refuse(stream, refusedWith(calls));
    else calls.open(stream, fields, isEndOfStream);
  }

  callerOf(fields: readonly HeaderField[]): Caller {
    return this.#options.identify(this, headerValue(fields, CLAIM_HEADER));
  }

  /** The first call decides where all go; one whose caller is to go elsewhere goes nowhere. */
  #callsFor(fields: readonly HeaderField[]): ClientCalls | GatewayError {
    if (this.#place && !this.#options.mayChoiceChange) return this.#place.calls;
    const services = this.#options.choose(this.callerOf(fields), this.host);
    if (services instanceof GatewayError) return services;
    this.#place ??= { services, calls: new ClientCalls(this, services) };
    if (this.#place.services === services) return this.#place.calls;
    const text = "another pool is for this caller now than when this connection began: connect again";
    return new GatewayError("not_allowed", text);
  }

  get #bound(): ClientCalls | undefined {
    return this.#place?.calls;
  }
}
