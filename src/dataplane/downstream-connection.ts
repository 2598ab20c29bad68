import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { BuildGroups } from "../routing/build-groups.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import { rpcKind } from "../routing/rpc-table.ts";
import { Call, type CallOwner } from "./call.ts";
import type { ConnectionHandler, ConnectionLimits, RequestHandler } from "./connection-options.ts";
import type { Dialed } from "./dialer.ts";
import { FrameConnection } from "./frame-connection.ts";
import type { HeldTotals } from "./held-body.ts";
import { keepPatient } from "./held-patience.ts";
import type { FirstBytes } from "./listener.ts";
import { LostCalls } from "./lost-calls.ts";
import { notGrpc, refuse, refusedWith } from "./refusal.ts";
import { readContent, readSolve, readStatus } from "./request-reader.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";
import type { TurnFlusher } from "./turn-flusher.ts";
import { UpstreamConnection } from "./upstream-connection.ts";

/** The in-process upstream that answers for the whole fleet. Not a name that discovery may give. */
const FACADE_ID = "(facade)";

/** What connections of clients need of the rest of the gateway. */
export interface DownstreamServices {
  readonly groups: BuildGroups;
  readonly clock: Clock;
  readonly log: Logger;
  readonly flusher: TurnFlusher;
  /** Full paths of the methods the façade answers. */
  readonly facadePaths: ReadonlySet<string>;
  /** Begin to connect to a replica; `undefined` where there is none of that name any more. */
  readonly dialReplica: (replicaId: string) => Dialed | undefined;
  /** Join one more in-process connection to the façade. */
  readonly dialFacade: () => Dialed;
  /** What some replica answered to LLBBridge/Ping. */
  readonly cachedPong: () => Buffer | undefined;
  readonly onReplicaGoingAway: (replicaId: string, reason: string) => void;
  readonly onReplicaLost: (replicaId: string, reason: string) => void;
  readonly limits: DownstreamLimits;
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
export class DownstreamConnection implements CallOwner, ConnectionHandler, RequestHandler {
  readonly host: string;
  readonly clock: Clock;
  readonly #services: DownstreamServices;
  readonly #frames: FrameConnection;
  /** Those that take new calls, by replica. */
  readonly #upstreams = new Map<string, UpstreamConnection>();
  /** All that are open, going away or not. */
  readonly #openUpstreams = new Set<UpstreamConnection>();
  readonly #calls = new Set<Call>();
  readonly #held: HeldTotals;
  readonly #lost: LostCalls;
  readonly #log: Logger;
  readonly #onEnded: () => void;
  readonly #cancelHandshake: Cancel;
  #lastActiveMs: number;
  #isEnded = false;

  constructor(transport: Transport, services: DownstreamServices, peer: string, onEnded: () => void) {
    const { clock, limits, log, groups } = services;
    this.host = peer.replace(/:\d+$/, "");
    this.clock = clock;
    this.#services = services;
    this.#log = log.child({ client: peer });
    this.#onEnded = onEnded;
    this.#held = { bytes: 0, calls: 0, maxBytes: limits.heldBytes };
    this.#lost = new LostCalls(groups);
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

  /** Whether a call of its has been open on this replica, of the pool that `groups` belongs to, less than `withinMs` ago. */
  uses(groups: BuildGroups, replicaId: string, withinMs: number): boolean {
    if (this.#services.groups !== groups) return false;
    return [...this.#openUpstreams].some((upstream) => upstream.replicaId === replicaId && upstream.idleMs < withinMs);
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
    this.#isEnded = true;
    this.#cancelHandshake();
    this.#log.debug({ reason: cause.message }, "client connection ended");
    for (const upstream of [...this.#openUpstreams]) upstream.close();
    this.#upstreams.clear();
    this.#services.groups.clientGone(this);
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
    const { groups, clock, cachedPong } = this.#services;
    const { fields } = call;
    switch (call.kind) {
      case "facade":
        this.releaseCall(call, FACADE_ID);
        break;
      case "solve":
        groups.solveArriving(this);
        break;
      case "session": {
        const buildSession = headerValue(fields, "x-docker-expose-session-uuid");
        if (buildSession === undefined) groups.openOther(call);
        else groups.openSession(call, buildSession, headerValue(fields, "x-docker-expose-session-sharedkey"));
        break;
      }
      case "bridge": {
        const buildRef = headerValue(fields, "buildkit-controlapi-buildid");
        if (buildRef === undefined) groups.openOther(call);
        else groups.openBridge(call, buildRef);
        break;
      }
      case "other":
        groups.openOther(call);
        break;
    }
    keepPatient(call, clock, cachedPong);
  }

  /** More of a call's body: what says where it belongs may now be readable. */
  heldDataCame(call: Call): void {
    // buildkitd ends a Session when its client has ended it, also one that no build has used.
    if (call.kind === "session" && call.isHeldEnded) call.finish();
    if (call.isRouted) return;
    const { groups, limits } = this.#services;
    if (call.kind === "solve") {
      const solve = readSolve(call, limits.solveBytes);
      if (!solve) return;
      call.isRouted = true;
      groups.solveArrived(this);
      groups.openSolve(call, solve);
    } else if (call.kind === "status" || call.kind === "content") {
      const named = call.kind === "status" ? readStatus(call) : readContent(call);
      if (named === undefined) return;
      call.isRouted = true;
      if (call.kind === "status") groups.openStatus(call, named);
      else groups.openContent(call, named);
    }
  }

  callLost(call: Call, error: Error): void {
    const text = `replica ${call.replicaId} went away: ${error.message}`;
    this.#lost.add(call, new GatewayError("upstream_lost", text, { cause: error }));
  }

  callClosed(call: Call): void {
    const { groups, clock } = this.#services;
    this.#calls.delete(call);
    this.#lastActiveMs = clock.nowMs();
    if (call.kind === "solve" && !call.isRouted) groups.solveArrived(this);
    groups.closed(call);
  }

  isConnected(replicaId: string): boolean {
    return this.#upstreams.get(replicaId)?.isReady === true;
  }

  connect(replicaId: string): Promise<ConnectOutcome> {
    return this.#upstream(replicaId)?.connected ?? Promise.resolve({ t: "failed", reason: "no longer discovered" });
  }

  /** The connection that takes new calls for a replica. */
  #upstream(replicaId: string): UpstreamConnection | undefined {
    const current = this.#upstreams.get(replicaId);
    if (current) return current;
    const { dialReplica, dialFacade } = this.#services;
    const dialed = this.#isEnded ? undefined : replicaId === FACADE_ID ? dialFacade() : dialReplica(replicaId);
    if (!dialed) return undefined;
    const upstream: UpstreamConnection = new UpstreamConnection({
      replicaId,
      dialed,
      clock: this.#services.clock,
      log: this.#log,
      flusher: this.#services.flusher,
      limits: this.#services.limits.replica,
      connectTimeoutMs: this.#services.limits.connectTimeoutMs,
      onGoingAway: (reason) => {
        this.#forget(replicaId, upstream);
        if (replicaId !== FACADE_ID) this.#services.onReplicaGoingAway(replicaId, reason);
      },
      onEnded: (cause, isExpected) => {
        this.#forget(replicaId, upstream);
        this.#openUpstreams.delete(upstream);
        if (!isExpected && replicaId !== FACADE_ID) this.#services.onReplicaLost(replicaId, cause.message);
      },
    });
    this.#upstreams.set(replicaId, upstream);
    this.#openUpstreams.add(upstream);
    return upstream;
  }

  #forget(replicaId: string, upstream: UpstreamConnection): void {
    if (this.#upstreams.get(replicaId) === upstream) this.#upstreams.delete(replicaId);
  }

  releaseCall(call: Call, replicaId: string): void {
    const upstream = this.#upstream(replicaId);
    if (upstream?.isReady) {
      call.join(upstream.openStream(), replicaId);
      return;
    }
    this.connect(replicaId).then((outcome) => {
      if (!call.heldBody) return;
      const ready = this.#upstreams.get(replicaId);
      if (outcome.t === "connected" && ready?.isReady) {
        call.join(ready.openStream(), replicaId);
        return;
      }
      const reason = outcome.t === "failed" ? outcome.reason : "connection closed";
      if (replicaId !== FACADE_ID) this.#services.onReplicaLost(replicaId, reason);
      this.#lost.add(call, new GatewayError("upstream_lost", `replica ${replicaId} cannot be reached: ${reason}`));
    });
  }
}

const NO_BYTES = Buffer.alloc(0);
