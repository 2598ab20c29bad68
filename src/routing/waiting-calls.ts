import type { Cancel, Clock } from "../base/clock.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";

/** A call that waits for the Solve that names it. */
export interface WaitingCall {
  readonly call: RoutedCall;
  /** The ref or session by which a Solve will claim it. */
  readonly token: string;
  cancelExpiry: Cancel | undefined;
}

/** Calls that came before their Solve, by what will claim them. */
export class WaitingCalls {
  readonly #clock: Clock;
  readonly #byCall = new Map<RoutedCall, WaitingCall>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(call: RoutedCall, token: string): void {
    this.#byCall.set(call, { call, token, cancelExpiry: undefined });
  }

  /** False where it no longer waits. */
  remove(call: RoutedCall): boolean {
    const waiting = this.#byCall.get(call);
    waiting?.cancelExpiry?.();
    return this.#byCall.delete(call);
  }

  /** Run `onExpiry` unless the call has stopped waiting by then. */
  expire(call: RoutedCall, delayMs: number, onExpiry: () => void): void {
    const waiting = this.#byCall.get(call);
    if (waiting) waiting.cancelExpiry = this.#clock.after(delayMs, onExpiry);
  }

  /** Take out every call that one of these refs or sessions claims. */
  take(tokens: readonly string[]): WaitingCall[] {
    return this.#takeIf(({ token }) => tokens.includes(token));
  }

  /** Take out every call of a client. */
  takeOf(client: RoutedClient): WaitingCall[] {
    return this.#takeIf(({ call }) => call.client === client);
  }

  #takeIf(wanted: (waiting: WaitingCall) => boolean): WaitingCall[] {
    const taken = [...this.#byCall.values()].filter(wanted);
    for (const { call } of taken) this.remove(call);
    return taken;
  }
}
