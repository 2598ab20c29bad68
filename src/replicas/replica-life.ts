import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { ReplicaState } from "./replica.ts";

const TERMINATING = "discovery says that it is terminating";

const DRAINED = "drained by an operator";

/** What a life works with. */
export interface ReplicaLifeOptions {
  readonly clock: Clock;
  /** Names the replica. */
  readonly log: Logger;
  /** Called after every change of state. */
  readonly onChange: () => void;
}

/** The state of one replica, and whether anybody wants it to drain. */
export class ReplicaLife {
  readonly #options: ReplicaLifeOptions;
  #state: ReplicaState;
  /** An operator wants no new build there. */
  isDrained = false;

  constructor(options: ReplicaLifeOptions) {
    this.#options = options;
    this.#state = { t: "connecting", sinceMs: options.clock.nowMs() };
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** It is ready or draining. */
  get isWell(): boolean {
    return this.#state.t === "ready" || this.#state.t === "draining";
  }

  get isGone(): boolean {
    return this.#state.t === "gone";
  }

  /** It is well: it takes builds, unless discovery or an operator wants it to drain. One that is gone stays so. */
  admit(isTerminating: boolean): void {
    const reason = isTerminating ? TERMINATING : this.isDrained ? DRAINED : undefined;
    if (this.isGone) return;
    if (reason !== undefined) this.drain(reason);
    else if (this.#state.t !== "ready") this.#transition({ t: "ready", sinceMs: this.#nowMs() });
  }

  drain(reason: string): void {
    if (this.#state.t === "draining" && this.#state.reason === reason) return;
    this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason });
  }

  eject(reason: string): void {
    const state = this.#state;
    if (state.t !== "ejected") this.#transition({ t: "ejected", sinceMs: this.#nowMs(), reason });
    else if (state.reason !== reason) this.#transition({ ...state, reason });
  }

  /** It is asked for the first time, at this address. */
  connect(): void {
    this.#transition({ t: "connecting", sinceMs: this.#nowMs() });
  }

  end(): void {
    this.isDrained = false;
    if (!this.isGone) this.#transition({ t: "gone", sinceMs: this.#nowMs() });
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** The only place where the state changes. */
  #transition(state: ReplicaState): void {
    const { log, onChange } = this.#options;
    const from = this.#state.t;
    this.#state = state;
    const fields = { from, to: state.t, ...("reason" in state && { reason: state.reason }) };
    // What drains is about to end: nobody needs to look.
    if (state.t === "ejected" && from !== "draining") log.warn(fields, "replica state changed");
    else log.info(fields, "replica state changed");
    onChange();
  }
}
