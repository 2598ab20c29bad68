import type { GatewayError } from "../base/errors.ts";
import type { Router } from "../routing/router.ts";
import type { Call } from "./call.ts";

/** What ends first decides what a user reads: the Solve; then what else may carry the error. */
const ANSWER_ORDER = ["solve", "bridge", "content", "other", "facade", "status", "session"];

/**
 * Answers the calls that a lost connection leaves open. Those of a replica's
 * are told one by one, in no order; they are answered together, Solve first.
 */
export class LostCalls {
  readonly #router: Router;
  #lost: { readonly call: Call; readonly error: GatewayError }[] = [];

  constructor(router: Router) {
    this.#router = router;
  }

  /** Answer `call` with `error` at the end of this turn, in its place among the others. */
  add(call: Call, error: GatewayError): void {
    this.#lost.push({ call, error });
    if (this.#lost.length === 1) queueMicrotask(() => this.#answer());
  }

  #answer(): void {
    const lost = this.#lost;
    this.#lost = [];
    // A Status that was read on its own, as of an old build, must not look as if it had ended well.
    const isAlone = !lost.some(({ call }) => call.kind === "solve" || call.kind === "bridge");
    for (const { call, error } of lost.sort((a, b) => turn(a.call) - turn(b.call))) {
      if (call.kind === "solve") this.#router.buildLost(call, error);
      call.fail(error, isAlone);
    }
  }

  /** Answer open calls in the same order, all alike, because their client's connection is being closed. */
  answerAll(calls: Iterable<Call>, error: GatewayError): void {
    for (const call of [...calls].sort((a, b) => turn(a) - turn(b))) {
      if (call.kind === "solve") this.#router.buildLost(call, error);
      call.fail(error, false);
    }
  }
}

function turn({ kind }: Call): number {
  return ANSWER_ORDER.indexOf(kind);
}
