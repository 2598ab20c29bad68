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
import type { AcceptedClient, FirstBytes } from "./listener.ts";
import { CallOverLimit, type LimitName, type OnLimit } from "./over-limit.ts";
import { notGrpc, refuse, refusedWith } from "./refusal.ts";
import type { Stream } from "./stream.ts";

/** What the clients of one listener share. */
export interface DownstreamServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: DownstreamLimits;
  /** Who a client is; `claim` is what its call says of that. */
  readonly identify: (client: ClientConnection, claim: string | undefined) => Caller;
  /** Where a call of a client's goes, which its caller may decide; an error is what it is told. */
  readonly choose: (client: DownstreamConnection, caller: Caller) => CallServices | GatewayError;
  /** What `choose` says may change while a client is connected, as more is known of who it is. */
  readonly mayChoiceChange: boolean;
  readonly onLimit: OnLimit;
  /** A client's connection is over. Called once. */
  readonly onEnded: (client: DownstreamConnection) => void;
}

/** One client's connection, from its first frame to its last. */
export class DownstreamConnection implements CallingClient, ClientConnection, ConnectionHandler, RequestHandler {
  readonly host: string;
  readonly certificateNames: readonly string[];
  /** The name that its TLS hello asked for. */
  readonly servername: string | undefined;
  readonly #peer: string;
  readonly #services: DownstreamServices;
  readonly #frames: FrameConnection;
  readonly #openedMs: number;
  /** Until its SETTINGS have come. */
  #cancelHandshake: Cancel | undefined;
  /** Absent until the first call that may go somewhere. */
  #place: { readonly services: CallServices; readonly calls: ClientCalls } | undefined;

  constructor({ transport, host, peer, servername, certificateNames }: AcceptedClient, services: DownstreamServices) {
    const { clock, limits } = services;
    this.host = host;
    this.certificateNames = certificateNames;
    this.servername = servername;
    this.#peer = peer;
    this.#services = services;
    this.#openedMs = clock.nowMs();
    this.#frames = new FrameConnection({ transport, clock, limits: limits.client, handler: this, requests: this });
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
    return this.#bound?.idleMs ?? this.#services.clock.nowMs() - this.#openedMs;
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
    this.#cancelHandshake?.();
    this.#cancelHandshake = undefined;
  }

  goingAway(): void {}

  overLimit(limit: LimitName): void {
    this.#services.onLimit(limit, { client: this.host });
  }

  readingFailed(error: unknown): void {
    this.#services.log.error({ err: error, client: this.#peer }, "reading a connection failed");
  }

  streamClosed(): void {}

  ended(cause: Error): void {
    this.ready();
    this.#services.log.debug({ client: this.#peer, reason: cause.message }, "client connection ended");
    this.#bound?.ended();
    this.#services.onEnded(this);
  }

  requestTooLarge(stream: Stream, listBytes: number): void {
    const { headerListBytes } = this.#services.limits.client;
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
    return this.#services.identify(this, headerValue(fields, CLAIM_HEADER));
  }

  /** The first call decides where all go; one whose caller is to go elsewhere goes nowhere. */
  #callsFor(fields: readonly HeaderField[]): ClientCalls | GatewayError {
    if (this.#place && !this.#services.mayChoiceChange) return this.#place.calls;
    const services = this.#services.choose(this, this.callerOf(fields));
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
