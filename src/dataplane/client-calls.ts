import type { Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { Router } from "../routing/router.ts";
import { type RpcKind, rpcKind } from "../routing/rpc-table.ts";
import { Call } from "./call.ts";
import type { OnCallEnded } from "./call-end.ts";
import type { CallOwner } from "./call-options.ts";
import { ClientUpstreams, type ConnectingClient, type DialingServices, FACADE_ID } from "./client-upstreams.ts";
import type { HeldTotals } from "./held-body.ts";
import { keepPatient } from "./held-patience.ts";
import { LostCalls } from "./lost-calls.ts";
import { CallOverLimit, type LimitName } from "./over-limit.ts";
import type { PolicyGate } from "./policy-gate.ts";
import { refuse, refusedWith } from "./refusal.ts";
import { RequestFields } from "./request-fields.ts";
import { readContent, readHistoryUpdate, readSolve, readStatus } from "./request-reader.ts";
import type { Stream } from "./stream.ts";

/** What the calls of clients need of the rest of the gateway: where they go, and how. */
export interface CallServices extends DialingServices {
  readonly router: Router;
  /** Full paths of the methods the façade answers. */
  readonly facadePaths: ReadonlySet<string>;
  /** What some replica answered to LLBBridge/Ping. */
  readonly cachedPong: () => Buffer | undefined;
  /** What we say of every client to the replicas, as a claim's header; empty: nothing. */
  readonly claim: () => string;
  /** Absent: every call is allowed. */
  readonly gate: PolicyGate | undefined;
  readonly onCallEnded?: OnCallEnded;
}

/** One client, as its calls see it. */
export interface CallingClient {
  /** Its address without the port. */
  readonly host: string;
  /** Who makes a call with this header list. */
  callerOf(fields: readonly HeaderField[]): Caller;
  /** It has gone past a limit. */
  overLimit(limit: LimitName): void;
}

/** Calls that say in their body where they belong. */
const BODY_NAMED: ReadonlySet<RpcKind> = new Set(["solve", "status", "content"]);

/** Header lists of requests as they are sent on, of all clients. */
const REQUEST_FIELDS = new RequestFields();

/** Calls of the whole process, counted as they arrive. */
let arrivals = 0;

/** The calls of one client: each is given to whom the router says. */
export class ClientCalls implements CallOwner, ConnectingClient {
  readonly host: string;
  readonly clock: Clock;
  readonly #services: CallServices;
  readonly #client: CallingClient;
  readonly #upstreams: ClientUpstreams;
  readonly #calls = new Set<Call>();
  readonly #held: HeldTotals;
  readonly #lost: LostCalls;
  /** Calls that are held until a policy has seen what they ask for. Allocated with the first. */
  #inspected: Set<Call> | undefined;
  #lastActiveMs: number;

  constructor(client: CallingClient, services: CallServices) {
    const { clock, limits, router } = services;
    this.host = client.host;
    this.clock = clock;
    this.#services = services;
    this.#client = client;
    this.#held = { bytes: 0, calls: 0, maxBytes: limits.heldBytes };
    this.#lost = new LostCalls(router);
    this.#upstreams = new ClientUpstreams(this, services);
    this.#lastActiveMs = clock.nowMs();
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  /** How long no call has been open, in milliseconds; 0 while one is. */
  get idleMs(): number {
    return this.#calls.size > 0 ? 0 : this.clock.nowMs() - this.#lastActiveMs;
  }

  /** Whether a call has been open on this replica, of the pool that `router` belongs to, less than `withinMs` ago. */
  uses(router: Router, replicaId: string, withinMs: number): boolean {
    return this.#services.router === router && this.#upstreams.uses(replicaId, withinMs);
  }

  /** A replica of the pool that `router` belongs to fails its health checks. */
  suspect(router: Router, replicaId: string): void {
    if (this.#services.router === router) this.#upstreams.suspect(replicaId);
  }

  /** Answer all that are open with an error, or their users would read of a lost connection. */
  answerAll(error: GatewayError): void {
    this.#lost.answerAll(this.#calls, error);
  }

  /** The client has gone, and all its calls have been told. */
  ended(): void {
    this.#upstreams.close();
    this.#services.router.clientGone(this);
  }

  /** Take a call. */
  open(stream: Stream, fields: readonly HeaderField[], isEndOfStream: boolean): void {
    const { facadePaths, claim, limits, gate } = this.#services;
    if (this.#held.calls >= limits.heldStreams) {
      const text = `${this.#held.calls} calls wait on this connection`;
      this.#client.overLimit("heldStreams");
      this.#refuse(stream, fields, new CallOverLimit("heldStreams", text));
      return;
    }
    const path = headerValue(fields, ":path")!;
    const refusal = gate?.refusal({ path, caller: this.callerOf(fields), client: this });
    if (refusal) {
      this.#refuse(stream, fields, refusal);
      return;
    }
    const call = new Call({
      kind: rpcKind(path, facadePaths),
      path,
      owner: this,
      arrival: arrivals++,
      stream,
      fields,
      sentFields: REQUEST_FIELDS.sentOn(fields, claim()),
      held: this.#held,
    });
    this.#calls.add(call);
    if (gate?.mustRead(call)) {
      this.#inspected ??= new Set();
      this.#inspected.add(call);
    } else this.#route(call);
    if (!call.isRouted && (BODY_NAMED.has(call.kind) || this.#inspected?.has(call))) this.#awaitRequest(call);
    if (isEndOfStream) call.data(NO_BYTES, true);
  }

  /** Of a call that says in its body where it belongs the body must come. */
  #awaitRequest(call: Call): void {
    const { requestTimeoutMs } = this.#services.limits;
    call.whileHeld = this.clock.after(requestTimeoutMs, () => {
      if (call.isRouted) return;
      const text = `no whole ${call.kind} request within ${requestTimeoutMs} ms`;
      this.callRefused(call, new CallOverLimit("requestTimeout", text));
    });
  }

  #refuse(stream: Stream, fields: readonly HeaderField[], error: GatewayError): void {
    refuse(stream, refusedWith(error));
    this.#services.onCallEnded?.(
      headerValue(fields, ":path")!,
      { status: error.status, saidBy: "gateway", message: "" },
      0,
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

  /** More of a call's body: what says where it belongs may now be readable. */
  heldDataCame(call: Call): void {
    // buildkitd ends a Session when its client has ended it, also one that no build has used.
    if (call.kind === "session" && call.isHeldEnded) call.finish();
    if (call.isRouted) return;
    const { router, limits, gate } = this.#services;
    if (this.#inspected?.has(call)) this.#inspect(call);
    else if (call.kind === "solve") {
      const solve = readSolve(call, limits.solveBytes);
      if (!solve) return;
      const refusal = gate?.refusalOfSolve(call, solve);
      if (refusal) throw refusal;
      call.isRouted = true;
      router.solveArrived(this);
      router.openSolve(call, solve);
    } else if (call.kind === "status" || call.kind === "content") {
      const named = call.kind === "status" ? readStatus(call) : readContent(call);
      if (named === undefined) return;
      call.isRouted = true;
      if (call.kind === "status") router.openStatus(call, named);
      else router.openContent(call, named);
    }
  }

  /** Let a call pass once what it asks for has been read and is allowed. Throws GatewayError. */
  #inspect(call: Call): void {
    const name = readHistoryUpdate(call);
    if (name === undefined) return;
    const refusal = this.#services.gate?.refusalByName(call, name);
    if (refusal) throw refusal;
    this.#inspected?.delete(call);
    this.#route(call);
  }

  callRefused(call: Call, error: GatewayError): void {
    if (error instanceof CallOverLimit) this.#client.overLimit(error.limit);
    call.fail(error, true);
  }

  callUnreachable(call: Call, error: GatewayError): void {
    this.#lost.add(call, error);
  }

  callLost(call: Call, error: Error): void {
    const text = `${this.#services.upstreamNoun} ${call.replicaId} went away: ${error.message}`;
    this.#lost.add(call, new GatewayError("upstream_lost", text, { cause: error }));
  }

  callerOf(fields: readonly HeaderField[]): Caller {
    return this.#client.callerOf(fields);
  }

  callClosed(call: Call): void {
    const { router, clock, onCallEnded } = this.#services;
    this.#calls.delete(call);
    this.#inspected?.delete(call);
    this.#lastActiveMs = clock.nowMs();
    if (call.ending) onCallEnded?.(call.path, call.ending, this.#lastActiveMs - call.openedMs);
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
