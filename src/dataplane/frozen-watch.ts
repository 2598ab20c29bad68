import type { Cancel, Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";

/**
 * A grpc-go server closes a connection after more than two PINGs in a row that
 * come less than five minutes after the one before, while it sends no data
 * (grpc/grpc-go internal/transport/http2_server.go, handlePing).
 */
const PING_EVERY_MS = 310_000;

/** PINGs that may come sooner, on one connection. */
const MAX_HASTY_PINGS = 2;

/** Which replicas fail their health checks, and who hears of it. */
export interface ReplicaHealth {
  /** Why a replica is out; `undefined`: it is well, or not known. */
  readonly whyUnwell: (replicaId: string) => string | undefined;
  /** Hear of every replica that goes out, of some more than once. */
  readonly onUnwell: (listener: (replicaId: string) => void) => Cancel;
}

/** A connection to a replica, as far as this is about it. */
export interface Watched {
  /** Why its replica is out. */
  whyUnwell(): string | undefined;
  readonly openStreams: number;
  /** How often something was read from it. */
  readonly reads: number;
  /** It is not read from now, because its client takes no more. */
  readonly isReadPaused: boolean;
  ping(): void;
  /** It is to be given up; `reason` says why. */
  frozen(reason: string): void;
}

/** `asked`: an answer is awaited. `resting`: it has answered, or no PING may be sent yet. */
type WatchState =
  | { readonly t: "idle" }
  | { readonly t: "asked"; readonly reads: number; readonly cancel: Cancel }
  | { readonly t: "resting"; readonly cancel: Cancel };

/**
 * Ends what waits for a frozen replica: one that fails its health checks, and
 * from which nothing comes on the very connection that carries a build either,
 * no answer to a PING, for a time. One that thaws sooner goes on.
 */
export class FrozenWatch {
  readonly #watched: Watched;
  readonly #clock: Clock;
  readonly #afterMs: number;
  #state: WatchState = { t: "idle" };
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #hastyPings = 0;

  /** `afterMs`: silence that is waited for. 0: for ever. */
  constructor(watched: Watched, clock: Clock, afterMs: number) {
    this.#watched = watched;
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** The replica has gone out, or a stream is opened to one that is: see whether it is there. */
  suspect(): void {
    if (this.#afterMs === 0 || this.#state.t === "asked" || !this.#isSuspect) return;
    this.stop();
    const sincePingMs = this.#clock.nowMs() - this.#lastPingMs;
    const isHasty = sincePingMs < PING_EVERY_MS;
    if (isHasty && this.#hastyPings >= MAX_HASTY_PINGS) this.#rest(PING_EVERY_MS - sincePingMs);
    else this.#ask(isHasty);
  }

  /** Watch no more. */
  stop(): void {
    if (this.#state.t !== "idle") this.#state.cancel();
    this.#state = { t: "idle" };
  }

  get #isSuspect(): boolean {
    return this.#watched.openStreams > 0 && this.#watched.whyUnwell() !== undefined;
  }

  #ask(isHasty: boolean): void {
    if (isHasty) this.#hastyPings++;
    this.#lastPingMs = this.#clock.nowMs();
    this.#watched.ping();
    this.#await();
  }

  #await(): void {
    const cancel = this.#clock.after(this.#afterMs, () => this.#judge());
    this.#state = { t: "asked", reads: this.#watched.reads, cancel };
  }

  #judge(): void {
    const { reads, isReadPaused } = this.#watched;
    const hasAnswered = this.#state.t === "asked" && reads !== this.#state.reads;
    this.#state = { t: "idle" };
    if (!this.#isSuspect) return;
    if (hasAnswered) this.#rest(PING_EVERY_MS);
    // Its answer may be among what is not read.
    else if (isReadPaused) this.#await();
    else {
      const silence = `silent for ${formatDuration(this.#afterMs)} (health.frozenAfter)`;
      this.#watched.frozen(`${silence}, and out: ${this.#watched.whyUnwell()}`);
    }
  }

  #rest(durationMs: number): void {
    const cancel = this.#clock.after(durationMs, () => {
      this.#state = { t: "idle" };
      this.suspect();
    });
    this.#state = { t: "resting", cancel };
  }
}
