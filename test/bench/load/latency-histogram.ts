/** Slower calls all count as this slow. */
const MAX_LATENCY_US = 500_000;

/** Counts calls by their latency in whole microseconds. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(MAX_LATENCY_US + 1);
  #total = 0;

  add(latencyMs: number): void {
    const latencyUs = Math.min(Math.floor(latencyMs * 1_000), MAX_LATENCY_US);
    this.#counts[latencyUs]!++;
    this.#total++;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The latency that `share` (0 to 1) of the calls did not exceed; NaN without calls. */
  percentileUs(share: number): number {
    let left = Math.ceil(this.#total * share);
    if (left === 0) return Number.NaN;
    return this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
  }
}
