import { type Families, readMetrics, sumMetrics } from "./sum-metrics.ts";

/**
 * What workers have told of their metrics, so that nothing that was counted goes down when one ends: Prometheus would
 * take it for a restart, and count all of it once more (prometheus.io, `rate`). What a worker counted after it was asked
 * last is lost with it.
 */
export class CrewTotals {
  readonly #latest = new Map<number, Families>();
  #past: Families = new Map();

  /** The worker of this life, which it still lives, has told this. */
  told(life: number, text: string): void {
    this.#latest.set(life, readMetrics(text));
  }

  /** It has ended, and whoever takes its place counts from 0. */
  ended(life: number): void {
    const latest = this.#latest.get(life);
    this.#latest.delete(life);
    if (latest) this.#past = sumMetrics([latest], this.#past);
  }

  /** All of them together, and `others` with them. */
  sum(others: readonly Families[] = []): Families {
    const living = [...this.#latest].sort(([one], [other]) => one - other).map(([, families]) => families);
    return sumMetrics([...living, ...others], this.#past);
  }
}
