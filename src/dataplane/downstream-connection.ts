import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { ClientConnection } from "../identity/callers.ts";
import { CLAIM_HEADER } from "../identity/claim.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { Router } from "../routing/router.ts";
import { rpcKind } from "../routing/rpc-table.ts";
import { Call } from "./call.ts";
import type { CallOwner } from "./call-options.ts";
import { ClientUpstreams, type ClientUpstreamsOptions, FACADE_ID } from "./client-upstreams.ts";
import type { ConnectionHandler, ConnectionLimits, RequestHandler } from "./connection-options.ts";
import { FrameConnection } from "./frame-connection.ts";
import type { HeldTotals } from "./held-body.ts";
import { keepPatient } from "./held-patience.ts";
import type { FirstBytes } from "./listener.ts";
import { LostCalls } from "./lost-calls.ts";
import { notGrpc, refuse, refusedWith } from "./refusal.ts";
import { RequestFields } from "./request-fields.ts";
import { readSolve, readStatus } from "./request-reader.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** What connections of clients need of the rest of the gateway. */
export interface DownstreamServices
  extends Omit<ClientUpstreamsOptions, "limits" | "connectTimeoutMs" | "onUnreachable"> {
  readonly router: Router;
  readonly clock: Clock;
  readonly log: Logger;
  /** Full paths of the methods the façade answers. */
  readonly facadePaths: ReadonlySet<string>;
  /** What some replica answered to LLBBridge/Ping. */
  readonly cachedPong: () => Buffer | undefined;
  readonly limits: DownstreamLimits;
  /** What we say of every client to the replicas, as a claim's header; empty: nothing. */
  readonly claim: () => string;
  /** Who a client is; `claim` is what its call says of that. */
  readonly identify: (client: ClientConnection, claim: string | undefined) => Caller;
}

/** What was found out of a client before its first frame. */
export interface ClientFacts {
  /** Its address, for logs. */
  readonly peer: string;
  /** The names of the certificate that it has shown. */
  readonly certificateNames: readonly string[];
}

/** Bounds of one client's connection and of those it opens. */
export interface DownstreamLimits {
  readonly client: ConnectionLimits;
  readonly replica: ConnectionLimits;
  readonly solveBytes: number;
  readonly heldBytes: number;
  readonly heldStreams: number;
  readonly connectTimeoutMs: number;
  /** For the client's preface and SETTINGS. */
  readonly handshakeTimeoutMs: number;
}

/** Calls of the whole process, counted as they arrive. */
let arrivals = 0;

/** One client's connection: takes its calls, and gives each to whom the router says. */
export class DownstreamConnection implements CallOwner, ClientConnection, ConnectionHandler, RequestHandler {
  readonly host: string;
  readonly certificateNames: readonly string[];
  readonly clock: Clock;
  readonly #services: DownstreamServices;
  readonly #frames: FrameConnection;
  readonly #upstreams: ClientUpstreams;
  readonly #calls = new Set<Call>();
  readonly #held: HeldTotals;
  readonly #lost: LostCalls;
  readonly #requestFields = new RequestFields();
  readonly #log: Logger;
  readonly #onEnded: () => void;
  readonly #cancelHandshake: Cancel;
  #lastActiveMs: number;

  constructor(transport: Transport, services: DownstreamServices, client: ClientFacts, onEnded: () => void) {
    const { peer, certificateNames } = client;
    const { clock, limits, log, router } = services;
    this.host = peer.replace(/:\d+$/, "");
    this.certificateNames = certificateNames;
    this.clock = clock;
    this.#services = services;
    this.#log = log.child({ client: peer });
    this.#onEnded = onEnded;
    this.#held = { bytes: 0, calls: 0, maxBytes: limits.heldBytes };
    this.#lost = new LostCalls(router);
    this.#upstreams = new ClientUpstreams({
      ...services,
      log: this.#log,
      limits: limits.replica,
      connectTimeoutMs: limits.connectTimeoutMs,
      onUnreachable: (call, error) => this.#lost.add(call, error),
    });
    this.#frames = new FrameConnection({ transport, clock, log, limits: limits.client, handler: this, requests: this });
    this.#cancelHandshake = clock.after(limits.handshakeTimeoutMs, () => {
      this.#frames.close(ErrorCode.SETTINGS_TIMEOUT, "no HTTP/2 SETTINGS in time (limits.handshakeTimeout)");
    });
    this.#lastActiveMs = clock.nowMs();
  }

  /** Begin to serve; `first` has been read already. */
  start(first: FirstBytes | undefined): void {
    this.#frames.start();
    if (first) this.#frames.receive(first.bytes, first.start, first.end, first.lease);
  }

  /** How long no call has been open, in milliseconds; 0 while one is. */
  get idleMs(): number {
    return this.#calls.size > 0 ? 0 : this.#services.clock.nowMs() - this.#lastActiveMs;
  }

  /** Whether a call of its has been open on this replica, of the pool that `router` belongs to, less than `withinMs` ago. */
  uses(router: Router, replicaId: string, withinMs: number): boolean {
    return this.#services.router === router && this.#upstreams.uses(replicaId, withinMs);
  }

  /** Say goodbye and close; open calls are answered first, or their users would read of a lost connection. */
  close(reason: string): void {
    this.#lost.answerAll(this.#calls, new GatewayError("shutting_down", reason));
    this.#frames.close(ErrorCode.NO_ERROR, reason);
  }

  ready(): void {
    this.#cancelHandshake();
  }

  goingAway(): void {}

  streamClosed(): void {}

  ended(cause: Error): void {
    this.#cancelHandshake();
    this.#log.debug({ reason: cause.message }, "client connection ended");
    this.#upstreams.close();
    this.#services.router.clientGone(this);
    this.#onEnded();
  }

  requestTooLarge(stream: Stream, listBytes: number): void {
    const { headerListBytes } = this.#services.limits.client;
    const text = `request headers of at least ${listBytes} bytes over ${headerListBytes} (limits.headerListBytes)`;
    refuse(stream, refusedWith(new GatewayError("limit_exceeded", text)));
  }

  requestOpened(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): void {
    const refusal = notGrpc(fields) ?? this.#tooManyHeld();
    if (refusal) {
      refuse(stream, refusal);
      return;
    }
    const path = headerValue(fields, ":path")!;
    const call = new Call({
      kind: rpcKind(path, this.#services.facadePaths),
      path,
      owner: this,
      arrival: arrivals++,
      stream,
      fields,
      sentFields: this.#requestFields.sentOn(fields, this.#services.claim()),
      held: this.#held,
    });
    this.#calls.add(call);
    this.#route(call);
    if (isEndOfStream) call.data(NO_BYTES, true);
  }

  #tooManyHeld(): HeaderField[] | undefined {
    const { calls } = this.#held;
    if (calls < this.#services.limits.heldStreams) return undefined;
    return refusedWith(
      new GatewayError("limit_exceeded", `${calls} calls wait on this connection (limits.heldStreams)`),
    );
  }

  #route(call: Call): void {
    const { router, clock, cachedPong } = this.#services;
    if (router.straightTo !== undefined) {
      call.isRouted = true;
      this.releaseCall(call, router.straightTo);
    } else this.#routeByKind(call, router);
    keepPatient(call, clock, cachedPong);
  }

  #routeByKind(call: Call, router: Router): void {
    const { fields } = call;
    switch (call.kind) {
      case "facade":
        this.releaseCall(call, FACADE_ID);
        break;
      case "solve":
        router.solveArriving(this);
        break;
      case "status":
        break;
      case "session": {
        const buildSession = headerValue(fields, "x-docker-expose-session-uuid");
        if (buildSession === undefined) router.openOther(call);
        else router.openSession(call, buildSession, headerValue(fields, "x-docker-expose-session-sharedkey"));
        break;
      }
      case "bridge": {
        const buildRef = headerValue(fields, "buildkit-controlapi-buildid");
        if (buildRef === undefined) router.openOther(call);
        else router.openBridge(call, buildRef);
        break;
      }
      case "other":
        router.openOther(call);
        break;
    }
  }

  /** More of a call's body: a Solve or Status may now be readable. */
  heldDataCame(call: Call): void {
    // buildkitd ends a Session when its client has ended it, also one that no build has used.
    if (call.kind === "session" && call.isHeldEnded) call.finish();
    if (call.isRouted) return;
    const { router, limits } = this.#services;
    if (call.kind === "solve") {
      const solve = readSolve(call, limits.solveBytes);
      if (!solve) return;
      call.isRouted = true;
      router.solveArrived(this);
      router.openSolve(call, solve);
    } else if (call.kind === "status") {
      const buildRef = readStatus(call);
      if (buildRef === undefined) return;
      call.isRouted = true;
      router.openStatus(call, buildRef);
    }
  }

  callLost(call: Call, error: Error): void {
    const text = `${this.#services.upstreamNoun} ${call.replicaId} went away: ${error.message}`;
    this.#lost.add(call, new GatewayError("upstream_lost", text, { cause: error }));
  }

  callerOf(fields: readonly HeaderField[]): Caller {
    return this.#services.identify(this, headerValue(fields, CLAIM_HEADER));
  }

  callClosed(call: Call): void {
    const { router, clock } = this.#services;
    this.#calls.delete(call);
    this.#lastActiveMs = clock.nowMs();
    if (call.kind === "solve" && !call.isRouted) router.solveArrived(this);
    router.closed(call);
  }

  isConnected(replicaId: string): boolean {
    return this.#upstreams.isConnected(replicaId);
  }

  connect(replicaId: string): Promise<ConnectOutcome> {
    return this.#upstreams.connect(replicaId);
  }

  releaseCall(call: Call, replicaId: string): void {
    this.#upstreams.release(call, replicaId);
  }
}

const NO_BYTES = Buffer.alloc(0);
