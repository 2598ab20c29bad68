import { GatewayError } from "../base/errors.ts";
import type { RoutedCall } from "./routed-call.ts";

/** Life of a build group. Calls are held while it is `placing`. */
export type GroupState =
  | { readonly t: "placing"; readonly abort: AbortController }
  | { readonly t: "placed"; readonly replicaId: string }
  | { readonly t: "failed"; readonly error: GatewayError };

/** A call, and the ref or session that made it a member. */
export interface Member {
  readonly call: RoutedCall;
  readonly token: string;
}

/** The order in which a failure is told: what ends first decides what a user reads, and it must be the Solve. */
const FAILURE_ORDER = ["solve", "bridge", "status", "session"];

/**
 * The refs and sessions that Solves tie together, and the calls that belong to
 * them. One group, one replica.
 */
export class BuildGroup {
  readonly tokens = new Set<string>();
  readonly #held: Member[] = [];
  readonly #open = new Set<RoutedCall>();
  #state: GroupState;

  constructor(state: GroupState) {
    this.#state = state;
  }

  get state(): GroupState {
    return this.#state;
  }

  /** Whether no call of it is open. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Take a call in: held, sent on or failed, as the group's state has it. */
  join(member: Member): void {
    const { call } = member;
    this.#open.add(call);
    switch (this.#state.t) {
      case "placing":
        this.#held.push(member);
        break;
      case "placed":
        call.release(this.#state.replicaId);
        break;
      case "failed":
        call.fail(this.#state.error);
        break;
    }
  }

  /** The group has a replica: release what is held, in the order it came. */
  placed(replicaId: string): void {
    this.#state = { t: "placed", replicaId };
    const held = this.#held.splice(0).sort((a, b) => a.call.arrival - b.call.arrival);
    for (const { call } of held) call.release(replicaId);
  }

  /** The build cannot run, or its replica was lost: answer what is held, and whatever comes later. */
  failed(error: GatewayError): void {
    if (this.#state.t === "placing") this.#state.abort.abort();
    this.#state = { t: "failed", error };
    const held = this.#held.splice(0);
    held.sort((a, b) => FAILURE_ORDER.indexOf(a.call.kind) - FAILURE_ORDER.indexOf(b.call.kind));
    for (const { call } of held) call.fail(error);
  }

  /**
   * A call has ended. When a held Solve was cancelled, what waited for it ends
   * too: progress of a build that will not run would keep its client alive.
   */
  left(call: RoutedCall, ownTokens: readonly string[]): void {
    this.#open.delete(call);
    const at = this.#held.findIndex((member) => member.call === call);
    if (at < 0) return;
    this.#held.splice(at, 1);
    if (call.kind !== "solve") return;
    const isLast = !this.#held.some((member) => member.call.kind === "solve");
    for (const member of this.#held.splice(0)) {
      if (isLast || ownTokens.includes(member.token)) member.call.finish();
      else this.#held.push(member);
    }
    if (isLast) this.failed(new GatewayError("cancelled", "the build was cancelled"));
  }
}
