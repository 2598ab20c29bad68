import type { GatewayStatus } from "../admin/gateway-status.ts";
import type { CrewAnswers } from "./crew-answers.ts";
import { mergeStatus } from "./merge-status.ts";

/** A worker, as the parent counts it. */
export interface WorkerView {
  readonly worker: number;
  readonly pid: number | undefined;
  readonly connections: number;
  /** Share of the last seconds in which it had work, 0 to 1. */
  readonly busy: number;
}

/** The state of all workers as that of one gateway, and who they are. */
export type CrewStatus = GatewayStatus & { readonly workers: readonly WorkerView[] };

/** What the parent itself knows. */
export interface CrewFacts {
  readonly startedAt: Date;
  /** Clients that it has sent away. */
  readonly refused: () => number;
  /** Of those, they that were one too many. */
  readonly overLimit: () => number;
  readonly workers: () => readonly WorkerView[];
}

/** Put together the state of all workers. */
export class CrewStatusReader {
  readonly #answers: CrewAnswers;
  readonly #facts: CrewFacts;
  #latest: CrewStatus | undefined;
  #isReading = false;

  constructor(answers: CrewAnswers, facts: CrewFacts) {
    this.#answers = answers;
    this.#facts = facts;
  }

  /** Ask all of them now. Rejects as {@link CrewAnswers.ask} does. */
  async read(signal: AbortSignal): Promise<CrewStatus> {
    const [first, ...others] = await this.#answers.askJson<GatewayStatus>({ target: "/status", signal });
    const told = [first, ...others].map(({ worker, body }) => ({ worker, status: body }));
    const { startedAt, refused, overLimit, workers } = this.#facts;
    const status = mergeStatus([told[0]!, ...told.slice(1)]);
    const { limitHits } = status.traffic;
    const traffic = {
      ...status.traffic,
      refused: status.traffic.refused + refused(),
      limitHits: { ...limitHits, connections: (limitHits.connections ?? 0) + overLimit() },
    };
    this.#latest = { ...status, startedAt: startedAt.toISOString(), traffic, workers: workers() };
    return this.#latest;
  }

  /**
   * What was known last, once it has been read; and it is asked for again, so that who looks once a second sees what was
   * a second ago. Where nobody answers it says that nobody is ready.
   */
  latest(): CrewStatus {
    if (!this.#latest) throw new Error("not read yet");
    if (!this.#isReading) {
      this.#isReading = true;
      void this.#refresh();
    }
    return this.#latest;
  }

  async #refresh(): Promise<void> {
    try {
      await this.read(new AbortController().signal);
    } catch (reason) {
      if (this.#latest) this.#latest = { ...this.#latest, isReady: false, note: (reason as Error).message };
    } finally {
      this.#isReading = false;
    }
  }
}
