import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { ErrorCode } from "../http2/errors.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { ConnectionHandler, ConnectionLimits } from "./connection-options.ts";
import type { Dialed } from "./dialer.ts";
import { FrameConnection } from "./frame-connection.ts";
import { FrozenWatch, type Watched } from "./frozen-watch.ts";
import type { LimitName, OnLimit } from "./over-limit.ts";
import type { Stream } from "./stream.ts";
import { Transport } from "./transport.ts";
import type { TurnFlusher } from "./turn-flusher.ts";

/** What a connection to a replica is made of. */
export interface UpstreamOptions {
  readonly replicaId: string;
  /** What has begun to connect. */
  readonly dialed: Dialed;
  readonly clock: Clock;
  readonly log: Logger;
  readonly flusher: TurnFlusher;
  readonly limits: ConnectionLimits;
  /** For connecting, TLS and the replica's SETTINGS together. */
  readonly connectTimeoutMs: number;
  readonly onLimit: OnLimit;
  /** How long the replica may be silent while it is out and has calls. 0: for ever. */
  readonly frozenAfterMs: number;
  /** Why the replica is out; `undefined`: it is not. */
  readonly whyUnwell: () => string | undefined;
  /** The replica said GOAWAY: open calls may still end, new ones need another connection. */
  readonly onGoingAway: (reason: string) => void;
  /** It is over; calls that were open have been told. `isExpected` after a GOAWAY or our own close. */
  readonly onEnded: (cause: Error, isExpected: boolean) => void;
}

/** Life of a connection to a replica. Only `ready` accepts calls. */
type UpstreamState =
  | { readonly t: "connecting"; readonly resolve: (outcome: ConnectOutcome) => void; readonly cancelTimeout: Cancel }
  | { readonly t: "ready" }
  | { readonly t: "goingAway"; readonly reason: string }
  | { readonly t: "closed"; readonly reason: string };

const CLIENT_GONE = "client has gone";

/** One private HTTP/2 connection from one client's connection to one replica. */
export class UpstreamConnection implements ConnectionHandler {
  readonly connected: Promise<ConnectOutcome>;
  readonly #options: UpstreamOptions;
  readonly #frames: FrameConnection;
  readonly #watch: FrozenWatch;
  #state: UpstreamState;
  #lastActiveMs: number;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#lastActiveMs = options.clock.nowMs();
    const { stream, reader, openEvent, keepsWritten } = options.dialed;
    const { clock, log, flusher, limits, connectTimeoutMs } = options;
    const transport = new Transport(stream, flusher, reader, keepsWritten);
    this.#frames = new FrameConnection({ transport, clock, log, limits, handler: this });
    const frames = this.#frames;
    const watched: Watched = {
      whyUnwell: options.whyUnwell,
      get openStreams() {
        return frames.openStreams;
      },
      get reads() {
        return frames.reads;
      },
      get isReadPaused() {
        return transport.isReadPaused;
      },
      ping: () => frames.writer.ping(),
      frozen: (reason) => frames.destroy(new Error(reason)),
    };
    this.#watch = new FrozenWatch(watched, clock, options.frozenAfterMs);
    let resolve: (outcome: ConnectOutcome) => void = () => {};
    this.connected = new Promise((settle) => {
      resolve = settle;
    });
    const cancelTimeout = clock.after(connectTimeoutMs, () => {
      this.overLimit("connectTimeout");
      this.#frames.destroy(new Error(`no HTTP/2 SETTINGS within ${connectTimeoutMs} ms`));
    });
    this.#state = { t: "connecting", resolve, cancelTimeout };
    stream.once("error", (error) => this.#frames.destroy(error));
    if (openEvent === undefined) this.#frames.start();
    else stream.once(openEvent, () => this.#frames.start());
  }

  get isReady(): boolean {
    return this.#state.t === "ready";
  }

  get replicaId(): string {
    return this.#options.replicaId;
  }

  /** How long no stream has been open, in milliseconds; 0 while one is, and while it is connecting. */
  get idleMs(): number {
    if (this.#state.t === "connecting" || this.#frames.openStreams > 0) return 0;
    return this.#options.clock.nowMs() - this.#lastActiveMs;
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
    this.#lastActiveMs = this.#options.clock.nowMs();
    if (this.#state.t !== "connecting") return;
    const { resolve } = this.#state;
    this.#settle({ t: "ready" });
    // A replica that is ending says GOAWAY right behind its SETTINGS: what was read with them counts.
    queueMicrotask(() => resolve(this.#outcome()));
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
    this.#options.onGoingAway(reason);
    this.streamClosed();
  }

  overLimit(limit: LimitName): void {
    const { onLimit, replicaId } = this.#options;
    onLimit(limit, { replica: replicaId });
  }

  streamClosed(): void {
    this.#lastActiveMs = this.#options.clock.nowMs();
    if (this.#state.t === "goingAway" && this.#frames.openStreams === 0) this.close();
  }

  ended(cause: Error): void {
    const before = this.#state;
    this.#watch.stop();
    this.#settle({ t: "closed", reason: cause.message });
    if (before.t === "connecting") before.resolve({ t: "failed", reason: cause.message });
    this.#options.onEnded(cause, before.t !== "ready");
  }

  #settle(next: UpstreamState): void {
    if (this.#state.t === "connecting") this.#state.cancelTimeout();
    this.#state = next;
  }
}
