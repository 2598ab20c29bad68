import type { TokenedCall } from "./calls-by-token.ts";
import type { MovedBytes, RoutedCall } from "./routed-call.ts";

/** What has passed in the calls of one ref or session. */
interface Account {
  readonly open: Set<RoutedCall>;
  receivedBytes: number;
  sentBytes: number;
}

/** Keeps account of what passes in calls, by the ref or session that they belong to. */
export class TokenTraffic {
  readonly #accounts = new Map<string, Account>();
  readonly #byCall = new Map<RoutedCall, Account>();

  /** A call is opened once. One that belongs to nothing is not counted. */
  opened({ call, token }: TokenedCall): void {
    if (token === "" || this.#byCall.has(call)) return;
    let account = this.#accounts.get(token);
    if (!account) {
      account = { open: new Set(), receivedBytes: 0, sentBytes: 0 };
      this.#accounts.set(token, account);
    }
    account.open.add(call);
    this.#byCall.set(call, account);
  }

  closed(call: RoutedCall): void {
    const account = this.#byCall.get(call);
    if (!account) return;
    this.#byCall.delete(call);
    account.open.delete(call);
    account.receivedBytes += call.moved.receivedBytes;
    account.sentBytes += call.moved.sentBytes;
  }

  /** What has passed so far in all calls of these refs and sessions. */
  of(tokens: readonly string[]): MovedBytes {
    let receivedBytes = 0;
    let sentBytes = 0;
    const add = (moved: MovedBytes): void => {
      receivedBytes += moved.receivedBytes;
      sentBytes += moved.sentBytes;
    };
    for (const token of tokens) {
      const account = this.#accounts.get(token);
      if (!account) continue;
      add(account);
      for (const { moved } of account.open) add(moved);
    }
    return { receivedBytes, sentBytes };
  }
}
