import type { Cancel, Clock } from "../base/clock.ts";
import { CallsByToken, type TokenedCall } from "./calls-by-token.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";

/** A call that waits for the Solve that names its ref or session. */
interface WaitingCall extends TokenedCall {
  cancelTimer: Cancel | undefined;
}

/** Calls that came before their Solve, by what will claim them. */
export class WaitingCalls {
  readonly #clock: Clock;
  readonly #isSolving: (client: RoutedClient) => boolean;
  readonly #calls = new CallsByToken<WaitingCall>();
  /** Sessions of each client that has some. */
  readonly #sessionsOf = new Map<RoutedClient, Set<RoutedCall>>();

  /** `isSolving`: whether a Solve of the client's is on the way. */
  constructor(clock: Clock, isSolving: (client: RoutedClient) => boolean) {
    this.#clock = clock;
    this.#isSolving = isSolving;
  }

  get size(): number {
    return this.#calls.size;
  }

  add(call: RoutedCall, token: string): void {
    this.#calls.add({ call, token, cancelTimer: undefined });
    if (call.kind !== "session") return;
    const sessions = this.#sessionsOf.get(call.client);
    if (sessions) sessions.add(call);
    else this.#sessionsOf.set(call.client, new Set([call]));
  }

  /** False where it no longer waits. */
  remove(call: RoutedCall): boolean {
    const waiting = this.#calls.remove(call);
    if (waiting) this.#stopped(waiting);
    return waiting !== undefined;
  }

  /**
   * Run `act` when the call has waited that much longer and its client has no
   * Solve on the way that may name it. One at a time; never once it has stopped
   * waiting.
   */
  afterWaiting(call: RoutedCall, delayMs: number, act: () => void): void {
    const waiting = this.#calls.get(call);
    if (!waiting) return;
    waiting.cancelTimer = this.#clock.after(delayMs, () => {
      if (this.#isSolving(call.client)) this.afterWaiting(call, delayMs, act);
      else act();
    });
  }

  /** Take out every call that one of these refs or sessions claims. */
  take(tokens: readonly string[]): TokenedCall[] {
    const taken = tokens.flatMap((token) => this.#calls.take(token));
    for (const waiting of taken) this.#stopped(waiting);
    return taken;
  }

  /** Take out every Session of a client. */
  takeSessionsOf(client: RoutedClient): TokenedCall[] {
    const taken = [...(this.#sessionsOf.get(client) ?? [])].map((call) => this.#calls.remove(call)!);
    for (const waiting of taken) this.#stopped(waiting);
    return taken;
  }

  #stopped({ call, cancelTimer }: WaitingCall): void {
    cancelTimer?.();
    const sessions = this.#sessionsOf.get(call.client);
    if (sessions?.delete(call) && sessions.size === 0) this.#sessionsOf.delete(call.client);
  }
}
