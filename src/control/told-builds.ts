import type { HistoryEvent } from "../buildkit/history-event.ts";

/** Builds that are remembered for one client. */
const MAX_BUILDS = 10_000;

/** The generation of a build that runs. */
const RUNNING = -1;

/** What one client has been told of builds: each start once, each state of a completed build's record once. */
export class ToldBuilds {
  /** Generation of each record, by replica and ref, oldest first. */
  readonly #generations = new Map<string, number>();

  /** Whether the client has yet to hear of this; it counts as told from then on. */
  isNews(replicaId: string, { t, buildRef, generation }: HistoryEvent): boolean {
    const key = `${replicaId}\n${buildRef}`;
    if (t === "deleted") {
      this.#generations.delete(key);
      return true;
    }
    const told = this.#generations.get(key);
    const now = t === "started" ? RUNNING : generation;
    if (told !== undefined && told >= now) return false;
    this.#generations.delete(key);
    this.#generations.set(key, now);
    if (this.#generations.size > MAX_BUILDS) this.#generations.delete(this.#generations.keys().next().value!);
    return true;
  }
}
