import type { HistoryEvent } from "../buildkit/history-event.ts";

/** Records of one daemon that are remembered. It keeps 50 unless it is told otherwise (moby/buildkit util/config). */
const MAX_RECORDS = 4_096;

/** Real refs have 25 characters; of a longer one than this, nothing is remembered. */
const MAX_REF_CHARACTERS = 128;

/** What is known of one record. */
interface KnownRecord {
  /** -1: the build runs. */
  readonly generation: number;
  /** By the daemon's clock; 0 while it runs. */
  readonly completedAtMs: number;
}

/**
 * What one daemon's history has said so far, to tell news from what it lists
 * again: each time it is followed anew, it lists what runs and what has ended.
 */
export class KnownRecords {
  /** By ref, oldest first. */
  readonly #records = new Map<string, KnownRecord>();
  /** What has ended before, by the daemon's clock, is not news. */
  #newsSinceMs = Number.POSITIVE_INFINITY;

  /** The history is being followed; the daemon's clock says so. Only the first time counts. */
  followed(daemonTimeMs: number): void {
    if (this.#newsSinceMs === Number.POSITIVE_INFINITY) this.#newsSinceMs = daemonTimeMs;
  }

  has(buildRef: string): boolean {
    return this.#records.has(buildRef);
  }

  /** Whether the event says what was not known; it is known from then on. */
  isNews(event: HistoryEvent): boolean {
    const { t, buildRef, generation, completedAtMs } = event;
    if (buildRef.length > MAX_REF_CHARACTERS) return false;
    const known = this.#records.get(buildRef);
    switch (t) {
      case "started":
        if (known !== undefined) return false;
        this.#remember(buildRef, { generation: -1, completedAtMs: 0 });
        return true;
      case "complete":
        if (known !== undefined && known.generation >= generation) return false;
        this.#remember(buildRef, { generation, completedAtMs });
        return known !== undefined || completedAtMs >= this.#newsSinceMs;
      case "deleted":
        // A daemon says so too of a build that it never had.
        return this.#records.delete(buildRef);
    }
  }

  /** What is there from now on is another daemon. */
  forget(): void {
    this.#records.clear();
    this.#newsSinceMs = Number.POSITIVE_INFINITY;
  }

  #remember(buildRef: string, record: KnownRecord): void {
    this.#records.delete(buildRef);
    this.#records.set(buildRef, record);
    if (this.#records.size <= MAX_RECORDS) return;
    const [oldest, { completedAtMs }] = this.#records.entries().next().value!;
    this.#records.delete(oldest);
    // It must not be news when it is listed again.
    this.#newsSinceMs = Math.max(this.#newsSinceMs, completedAtMs + 1);
  }
}
