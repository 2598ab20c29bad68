import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { ConnectionHandler } from "./connection-options.ts";
import type { Dialed } from "./dialer.ts";
import type { DownstreamLimits } from "./downstream-limits.ts";
import { FrameConnection } from "./frame-connection.ts";
import { FrozenWatch, type ReplicaHealth, type Watched } from "./frozen-watch.ts";
import type { LimitName, OnLimit } from "./over-limit.ts";
import type { Stream } from "./stream.ts";
import { Transport } from "./transport.ts";
import type { TurnFlusher } from "./turn-flusher.ts";

/** What all connections to replicas share. */
export interface UpstreamServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly flusher: TurnFlusher;
  readonly limits: DownstreamLimits;
  readonly onLimit: OnLimit;
  /** Which replicas fail their health checks. Absent: nobody checks. */
  readonly health?: ReplicaHealth;
}

/** Who hears what becomes of a connection to a replica. */
export interface UpstreamOwner {
  /** It takes calls. */
  upstreamReady(upstream: UpstreamConnection): void;
  /** Reading it met what is no fault of the replica's; it is being closed. For the log. */
  upstreamFailed(upstream: UpstreamConnection, error: unknown): void;
  /** The replica said GOAWAY: open calls may still end, new ones need another connection. */
  upstreamGoingAway(upstream: UpstreamConnection, reason: string): void;
  /** It is over; calls that were open have been told. `isExpected` after a GOAWAY or our own close. */
  upstreamEnded(upstream: UpstreamConnection, cause: Error, isExpected: boolean): void;
}

/** Life of a connection to a replica. Only `ready` accepts calls. */
type UpstreamState =
  | { readonly t: "connecting"; readonly resolve: (outcome: ConnectOutcome) => void; readonly cancelTimeout: Cancel }
  | { readonly t: "ready" }
  | { readonly t: "goingAway"; readonly reason: string }
  | { readonly t: "closed"; readonly reason: string };

const CLIENT_GONE = "client has gone";

/**
 * One private HTTP/2 connection from one client's connection to one replica.
 *
 * Every client has one, so it is kept small: what is common to all is shared,
 * and it is watched for itself instead of through an object of closures.
 */
export class UpstreamConnection implements ConnectionHandler, Watched {
  readonly replicaId: string;
  readonly connected: Promise<ConnectOutcome>;
  readonly #services: UpstreamServices;
  readonly #owner: UpstreamOwner;
  readonly #transport: Transport;
  readonly #frames: FrameConnection;
  readonly #watch: FrozenWatch;
  #state: UpstreamState;
  #lastActiveMs: number;

  /** `dialed` has begun to connect. */
  constructor(replicaId: string, dialed: Dialed, services: UpstreamServices, owner: UpstreamOwner) {
    const { clock, flusher, limits } = services;
    const { stream, reader, openEvent, keepsWritten } = dialed;
    this.replicaId = replicaId;
    this.#services = services;
    this.#owner = owner;
    this.#lastActiveMs = clock.nowMs();
    this.#transport = new Transport(stream, flusher, reader, keepsWritten);
    this.#frames = new FrameConnection({
      transport: this.#transport,
      clock,
      limits: limits.replica,
      handler: this,
      requests: undefined,
    });
    this.#watch = new FrozenWatch(this, clock, limits.frozenAfterMs);
    let resolve: (outcome: ConnectOutcome) => void = () => {};
    this.connected = new Promise((settle) => {
      resolve = settle;
    });
    const cancelTimeout = clock.after(limits.connectTimeoutMs, () => {
      this.overLimit("connectTimeout");
      this.#frames.destroy(new Error(`no HTTP/2 SETTINGS within ${limits.connectTimeoutMs} ms`));
    });
    this.#state = { t: "connecting", resolve, cancelTimeout };
    stream.on("error", (error) => this.#frames.destroy(error));
    if (openEvent === undefined) this.#frames.start();
    else stream.once(openEvent, () => this.#frames.start());
  }

  get isReady(): boolean {
    return this.#state.t === "ready";
  }

  /** How long no stream has been open, in milliseconds; 0 while one is, and while it is connecting. */
  get idleMs(): number {
    if (this.#state.t === "connecting" || this.#frames.openStreams > 0) return 0;
    return this.#services.clock.nowMs() - this.#lastActiveMs;
  }

  /** Why the replica is out; `undefined`: it is not. */
  whyUnwell(): string | undefined {
    return this.#services.health?.whyUnwell(this.replicaId);
  }

  get openStreams(): number {
    return this.#frames.openStreams;
  }

  get reads(): number {
    return this.#frames.reads;
  }

  get isReadPaused(): boolean {
    return this.#transport.isReadPaused;
  }

  ping(): void {
    this.#frames.writer.ping();
  }

  frozen(reason: string): void {
    this.#frames.destroy(new Error(reason));
  }

  /** A new stream; its header list must follow at once. */
  openStream(): Stream {
    const stream = this.#frames.openStream();
    this.#watch.suspect();
    return stream;
  }

  /** The replica fails its health checks: see whether it answers here. */
  suspect(): void {
    if (this.#state.t === "ready" || this.#state.t === "goingAway") this.#watch.suspect();
  }

  /** Close it; the replica sees its streams cancelled. */
  close(): void {
    if (this.#state.t === "closed") return;
    const before = this.#state;
    if (before.t !== "goingAway") this.#settle({ t: "goingAway", reason: CLIENT_GONE });
    if (before.t === "connecting") before.resolve({ t: "failed", reason: CLIENT_GONE });
    if (this.#frames.isReady) this.#frames.close(ErrorCode.NO_ERROR, CLIENT_GONE);
    else this.#frames.destroy(new Error(CLIENT_GONE));
  }

  ready(): void {
    this.#lastActiveMs = this.#services.clock.nowMs();
    if (this.#state.t !== "connecting") return;
    const { resolve } = this.#state;
    this.#settle({ t: "ready" });
    // A replica that is ending says GOAWAY right behind its SETTINGS: what was read with them counts.
    queueMicrotask(() => {
      const outcome = this.#outcome();
      if (outcome.t === "connected") this.#owner.upstreamReady(this);
      resolve(outcome);
    });
  }

  #outcome(): ConnectOutcome {
    const state = this.#state;
    return "reason" in state ? { t: "failed", reason: state.reason } : { t: "connected" };
  }

  goingAway(_lastStreamId: number, code: number, debug: string): void {
    const reason = `GOAWAY ${code}${debug === "" ? "" : ` (${debug})`}`;
    if (this.#state.t === "connecting") {
      this.#frames.destroy(new Error(reason));
      return;
    }
    if (this.#state.t !== "ready") return;
    this.#settle({ t: "goingAway", reason });
    this.#owner.upstreamGoingAway(this, reason);
    this.streamClosed();
  }

  overLimit(limit: LimitName): void {
    this.#services.onLimit(limit, { replica: this.replicaId });
  }

  readingFailed(error: unknown): void {
    this.#owner.upstreamFailed(this, error);
  }

  streamClosed(): void {
    this.#lastActiveMs = this.#services.clock.nowMs();
    if (this.#state.t === "goingAway" && this.#frames.openStreams === 0) this.close();
  }

  ended(cause: Error): void {
    const before = this.#state;
    this.#watch.stop();
    this.#settle({ t: "closed", reason: cause.message });
    if (before.t === "connecting") before.resolve({ t: "failed", reason: cause.message });
    this.#owner.upstreamEnded(this, cause, before.t !== "ready");
  }

  #settle(next: UpstreamState): void {
    if (this.#state.t === "connecting") this.#state.cancelTimeout();
    this.#state = next;
  }
}
