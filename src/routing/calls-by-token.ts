import type { RoutedCall } from "./routed-call.ts";

/** A call and the ref or session that it is known by. */
export interface TokenedCall {
  readonly call: RoutedCall;
  readonly token: string;
}

/** Calls in the order they were added, found by themselves or by their ref or session. */
export class CallsByToken<T extends TokenedCall> {
  readonly #byCall = new Map<RoutedCall, T>();
  readonly #byToken = new Map<string, Set<T>>();

  get size(): number {
    return this.#byCall.size;
  }

  values(): T[] {
    return [...this.#byCall.values()];
  }

  get(call: RoutedCall): T | undefined {
    return this.#byCall.get(call);
  }

  /** A call is added once. */
  add(entry: T): void {
    this.#byCall.set(entry.call, entry);
    const sameToken = this.#byToken.get(entry.token);
    if (sameToken) sameToken.add(entry);
    else this.#byToken.set(entry.token, new Set([entry]));
  }

  /** What was kept of the call; `undefined` where it is not here. */
  remove(call: RoutedCall): T | undefined {
    const entry = this.#byCall.get(call);
    if (!entry) return undefined;
    this.#byCall.delete(call);
    const sameToken = this.#byToken.get(entry.token)!;
    sameToken.delete(entry);
    if (sameToken.size === 0) this.#byToken.delete(entry.token);
    return entry;
  }

  /** Take out every call of this ref or session. */
  take(token: string): T[] {
    const taken = [...(this.#byToken.get(token) ?? [])];
    for (const { call } of taken) this.remove(call);
    return taken;
  }

  /** Take out all. */
  takeAll(): T[] {
    const taken = this.values();
    this.#byCall.clear();
    this.#byToken.clear();
    return taken;
  }
}
