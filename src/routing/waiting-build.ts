import type { Cancel, Clock } from "../base/clock.ts";
import type { QueuedBuild } from "./build-queue.ts";
import type { PlacementOutcome, PlacementRequest, Waiting } from "./placer.ts";

const NOBODY: ReadonlyMap<string, string> = new Map();

/** When a request was first made. */
export interface FirstAsked {
  /** Builds are numbered as they come. */
  readonly arrival: number;
  readonly arrivedMs: number;
}

/** A request that waits for a replica. */
export class WaitingBuild implements QueuedBuild {
  readonly request: PlacementRequest;
  readonly arrival: number;
  readonly arrivedMs: number;
  /** What becomes of it. */
  readonly outcome: Promise<PlacementOutcome>;
  readonly #clock: Clock;
  readonly #cancels: Cancel[] = [];
  #resolve: ((outcome: PlacementOutcome) => void) | undefined;
  #wake: { readonly atMs: number; readonly cancel: Cancel } | undefined;
  #isForgiving = false;
  #said: { readonly position: number; readonly cause: string; readonly atMs: number } | undefined;

  constructor(request: PlacementRequest, { arrival, arrivedMs }: FirstAsked, clock: Clock) {
    this.request = request;
    this.arrival = arrival;
    this.arrivedMs = arrivedMs;
    this.#clock = clock;
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get fairKey(): string {
    return this.request.fairKey;
  }

  /** Replicas it does not go to for now. */
  get excluded(): ReadonlyMap<string, string> {
    return this.#isForgiving ? NOBODY : this.request.excluded;
  }

  /** Keep the way to stop something that ends with its wait. */
  until(cancel: Cancel): void {
    this.#cancels.push(cancel);
  }

  /** From `afterMs` on replicas that could not be reached are tried again; `then` is called. */
  forgiveAfter(afterMs: number, then: () => void): void {
    if (this.excluded.size === 0) return;
    this.until(
      this.#clock.after(afterMs, () => {
        this.#isForgiving = true;
        then();
      }),
    );
  }

  /** Call `then` at a time, and at no other one any more. */
  wakeAt(atMs: number, then: () => void): void {
    if (this.#wake?.atMs === atMs) return;
    this.#wake?.cancel();
    const cancel = this.#clock.after(Math.max(1, Math.ceil(atMs - this.#clock.nowMs())), () => {
      // A timer may come a little early: whoever still finds the time not come asks again.
      this.#wake = undefined;
      then();
    });
    this.#wake = { atMs, cancel };
  }

  /** It waits no more. */
  settle(outcome: PlacementOutcome): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#wake?.cancel();
    this.#resolve?.(outcome);
    this.#resolve = undefined;
  }

  /**
   * Say how it stands, if that is news and the last is `intervalMs` old. A line
   * that has only become longer is no news.
   *
   * Returns how long it has to be held back; 0 when nothing is.
   */
  tell(waiting: Waiting, intervalMs: number): number {
    const said = this.#said;
    const nowMs = this.#clock.nowMs();
    if (this.#resolve === undefined) return 0;
    if (said?.position === waiting.position && said.cause === waiting.cause) return 0;
    const restMs = said === undefined ? 0 : said.atMs + intervalMs - nowMs;
    if (restMs > 0) return restMs;
    this.#said = { position: waiting.position, cause: waiting.cause, atMs: nowMs };
    this.request.onWaiting(waiting);
    return 0;
  }
}
