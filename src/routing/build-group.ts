import { GatewayError } from "../base/errors.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { ownTokens } from "./build-tokens.ts";
import { CallsByToken, type TokenedCall } from "./calls-by-token.ts";
import type { GroupLoad } from "./group-load.ts";
import type { Holding } from "./holding.ts";
import type { Waiting } from "./placer.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";
import { TokenTraffic } from "./token-traffic.ts";

/** Life of a build group. Calls are held until it is `placed`, `answered` or `failed`. */
export type GroupState =
  /** Nobody looks for a replica. */
  | { readonly t: "unplaced" }
  /** A replica is looked for, and connected to through `client`. */
  | { readonly t: "placing"; readonly client: RoutedClient; readonly abort: AbortController }
  | { readonly t: "placed"; readonly replicaId: string }
  /** It was a probe, and has been answered in a replica's place. */
  | { readonly t: "answered" }
  | { readonly t: "failed"; readonly error: GatewayError };

/** A call, and the ref or session that made it a member. */
export interface Member extends TokenedCall {
  /** Present for a Solve: what it says. */
  readonly solve?: SolveRequest;
}

/** The order in which a failure is told: what ends first decides what a user reads, and it must be the Solve. */
const FAILURE_ORDER = ["solve", "bridge", "status", "session"];

/** The order in which a daemon ends a build whose frontend has returned. */
const ANSWER_ORDER = ["bridge", "solve", "status", "session"];

/**
 * The refs and sessions that Solves tie together, and the calls that belong to
 * them. One group, one replica.
 */
export class BuildGroup {
  readonly tokens = new Set<string>();
  readonly #load: GroupLoad;
  readonly #holding: Holding;
  readonly #held = new CallsByToken<Member>();
  /** The Solves among what is held. */
  readonly #heldSolves = new Map<RoutedCall, SolveRequest>();
  /** How many held Solves own a ref or session: two may share a session. */
  readonly #owners = new Map<string, number>();
  readonly #open = new Set<RoutedCall>();
  readonly #clients = new WeakSet<RoutedClient>();
  /** Absent while no call is open: thousands of groups are remembered after their calls. */
  #traffic: TokenTraffic | undefined;
  #hasHadSolve = false;
  #state: GroupState = { t: "unplaced" };

  constructor(load: GroupLoad, holding: Holding) {
    this.#load = load;
    this.#holding = holding;
  }

  get state(): GroupState {
    return this.#state;
  }

  /** Whether no call of it is open. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Its calls are held: it may still be placed. */
  get isUnsettled(): boolean {
    return this.#state.t === "unplaced" || this.#state.t === "placing";
  }

  /** What waits for the group's replica. */
  get held(): readonly Member[] {
    return this.#held.values();
  }

  /** Whoever decides where it goes: its first Solve, or the one call of a group without any. */
  get leader(): Member | undefined {
    return this.held.find(({ solve }) => solve) ?? this.held[0];
  }

  /** Whether a call of this client's has belonged to it. */
  hasServed(client: RoutedClient): boolean {
    return this.#clients.has(client);
  }

  /** Take calls in: they are held, sent on or failed, as the group's state has it. */
  join(members: readonly Member[]): void {
    for (const member of members) {
      const { call, solve } = member;
      this.#open.add(call);
      this.#clients.add(call.client);
      this.#held.add(member);
      this.#traffic ??= new TokenTraffic();
      this.#traffic.opened(member);
      if (solve) this.#addSolve(call, solve, this.#traffic);
      if (this.isUnsettled) this.#holding.add(member);
      else if (this.#state.t === "placed") this.#holding.addLate(member);
    }
    this.#endIfAnswerable();
    this.#settle();
  }

  #addSolve(call: RoutedCall, solve: SolveRequest, traffic: TokenTraffic): void {
    const tokens = ownTokens(solve);
    this.#hasHadSolve = true;
    if (!solve.isInternal) this.#load.add(call, solve, () => traffic.of(tokens));
    if (this.#state.t === "placing") this.#load.placing();
    this.#heldSolves.set(call, solve);
    for (const token of tokens) this.#owners.set(token, (this.#owners.get(token) ?? 0) + 1);
  }

  /** Begin to look for a replica through `client`'s connection. The signal says that it is no longer wanted. */
  beginPlacing(client: RoutedClient): AbortSignal {
    const abort = new AbortController();
    this.#state = { t: "placing", client, abort };
    this.#load.placing();
    return abort.signal;
  }

  /** It goes to this replica if that can be reached, for now to none if `undefined`: its builds count there. */
  expectAt(replicaId: string | undefined): void {
    this.#load.moveTo(replicaId);
    if (replicaId !== undefined) this.#holding.chosen();
  }

  /** It has to wait for a replica, or something of what is said of that has changed. */
  waits(waiting: Waiting): void {
    this.#load.waits(waiting);
    this.#holding.waits(waiting);
    this.#endIfAnswerable();
    this.#settle();
  }

  #endIfAnswerable(): void {
    if (!this.isUnsettled || !this.#holding.isAnswerable) return;
    this.#stopPlacing();
    this.#state = { t: "answered" };
  }

  /** The group has a replica: release what is held, in the order it came. `because`: why this one, for people. */
  placed(replicaId: string, because?: string): void {
    this.#load.moveTo(replicaId);
    this.#holding.placed(replicaId, because);
    this.#state = { t: "placed", replicaId };
    this.#settle();
  }

  /** The build cannot run, or its replica was lost: answer what is held, and whatever comes later. */
  failed(error: GatewayError): void {
    this.#stopPlacing();
    this.#holding.failed(error);
    // What is behind it, such as a socket's error, would be in memory for as long as the group is remembered.
    this.#state = { t: "failed", error: new GatewayError(error.kind, error.message) };
    this.#settle();
  }

  /**
   * A call has ended. When a held Solve was cancelled, what waited for it ends
   * too: progress of a build that will not run would keep its client alive.
   */
  left(call: RoutedCall): void {
    this.#open.delete(call);
    this.#load.remove(call);
    this.#traffic?.closed(call);
    if (this.isIdle) this.#traffic = undefined;
    this.#holding.remove(call);
    if (!this.#held.remove(call)) return;
    const solve = this.#heldSolves.get(call);
    this.#heldSolves.delete(call);
    if (this.#heldSolves.size === 0 && (solve || this.#held.size === 0)) this.failed(cancelled());
    else if (solve) this.#solveLeft(solve);
  }

  /** One of several held Solves was cancelled: end what was its alone, and what its client's connection is needed for. */
  #solveLeft(solve: SolveRequest): void {
    const alone: Member[] = [];
    for (const token of ownTokens(solve)) {
      const owners = this.#owners.get(token)! - 1;
      this.#owners.set(token, owners);
      if (owners === 0) alone.push(...this.#held.take(token));
    }
    for (const { call } of alone) call.fail(cancelled(), false);
    if (this.#state.t !== "placing") return;
    for (const { client } of this.#heldSolves.keys()) if (client === this.#state.client) return;
    this.#stopPlacing();
  }

  #stopPlacing(): void {
    if (this.#state.t !== "placing") return;
    this.#state.abort.abort();
    this.#load.moveTo(undefined);
    this.#state = { t: "unplaced" };
  }

  /** Send on or answer what is held, where the state says which. */
  #settle(): void {
    const state = this.#state;
    if (state.t === "unplaced" || state.t === "placing") return;
    if (this.#held.size === 0) return;
    const members = this.#held.takeAll();
    this.#heldSolves.clear();
    this.#owners.clear();
    switch (state.t) {
      case "placed":
        for (const { call } of inOrder(members, ({ arrival }) => arrival)) {
          this.#load.releasing(call, state.replicaId);
          call.release(state.replicaId);
        }
        break;
      case "answered":
        for (const { call } of inOrder(members, ({ kind }) => ANSWER_ORDER.indexOf(kind))) this.#holding.answer(call);
        break;
      case "failed":
        for (const { call } of inOrder(members, ({ kind }) => FAILURE_ORDER.indexOf(kind)))
          call.fail(state.error, !this.#hasHadSolve);
        break;
    }
  }
}

function inOrder(members: readonly Member[], rank: (call: RoutedCall) => number): Member[] {
  return [...members].sort((a, b) => rank(a.call) - rank(b.call));
}

function cancelled(): GatewayError {
  return new GatewayError("cancelled", "the build was cancelled");
}
