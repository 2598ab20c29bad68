import type { Clock } from "../base/clock.ts";
import type { BuildSteps, HistoryEvent } from "../buildkit/history-event.ts";

/** Builds whose steps are kept until somebody asks. */
const MAX_KEPT = 1_000;

/** What histories have told of the steps of builds that have just ended. */
export class ToldSteps {
  readonly #clock: Clock;
  readonly #kept = new Map<string, BuildSteps>();
  readonly #asked = new Map<string, (steps: BuildSteps) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A replica's history has told of a build. */
  told(event: HistoryEvent): void {
    if (event.t !== "complete" || event.steps.total === 0) return;
    const answer = this.#asked.get(event.buildRef);
    if (answer) {
      answer(event.steps);
      return;
    }
    this.#kept.set(event.buildRef, event.steps);
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }

  /**
   * Call `then` once with the steps of a build, at once where they are known, or
   * without any after `timeoutMs`: the end of a Solve and that of its record come
   * by different connections.
   */
  after(buildRef: string, timeoutMs: number, then: (steps: BuildSteps | undefined) => void): void {
    const known = this.#kept.get(buildRef);
    this.#kept.delete(buildRef);
    if (known || timeoutMs === 0) {
      then(known);
      return;
    }
    const answer = (steps: BuildSteps | undefined): void => {
      cancel();
      if (this.#asked.get(buildRef) === answer) this.#asked.delete(buildRef);
      then(steps);
    };
    const cancel = this.#clock.after(timeoutMs, () => answer(undefined));
    this.#asked.set(buildRef, answer);
  }
}
