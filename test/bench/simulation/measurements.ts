/** A build that has got a replica. */
export interface StartedBuild {
  readonly arrivedMs: number;
  readonly waitMs: number;
  /** How long it takes there. */
  readonly lengthMs: number;
  readonly isWarm: boolean;
  /** No build of its repository was started before. */
  readonly isFirst: boolean;
}

/** What came of a policy. Times in seconds. */
export interface Figures {
  /** Part of all builds, first ones of a repository left out, that found their cache. One that was refused did not. */
  readonly warmShare: number;
  /** Of all builds: one that was refused has waited without end. */
  readonly waitP50: number;
  readonly waitP99: number;
  /** From the arrival of a build to its end, of those that were not refused. */
  readonly meanTotal: number;
  /** Running builds of the busiest replica by the mean of all, averaged over time. */
  readonly maxByMean: number;
  readonly builds: number;
  /** Builds that found the queue full, or waited too long. */
  readonly refused: number;
}

/** Counts what happens after the caches have filled. */
export class Measurements {
  readonly #fromMs: number;
  readonly #waitsMs: number[] = [];
  #totalMs = 0;
  #later = 0;
  #warm = 0;
  #refused = 0;
  #ratioSum = 0;
  #ratios = 0;

  /** What arrives before `fromMs` is left out. */
  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  started({ arrivedMs, waitMs, lengthMs, isWarm, isFirst }: StartedBuild): void {
    if (arrivedMs < this.#fromMs) return;
    this.#waitsMs.push(waitMs);
    this.#totalMs += waitMs + lengthMs;
    if (isFirst) return;
    this.#later++;
    if (isWarm) this.#warm++;
  }

  refused(arrivedMs: number): void {
    if (arrivedMs < this.#fromMs) return;
    this.#refused++;
    this.#later++;
    this.#waitsMs.push(Number.POSITIVE_INFINITY);
  }

  /** Running builds of each replica that takes builds. */
  sampled(atMs: number, loads: readonly number[]): void {
    const sum = loads.reduce((total, load) => total + load, 0);
    if (atMs < this.#fromMs || sum === 0) return;
    this.#ratioSum += Math.max(...loads) / (sum / loads.length);
    this.#ratios++;
  }

  figures(): Figures {
    const waitsMs = this.#waitsMs.toSorted((a, b) => a - b);
    const quantile = (part: number): number => (waitsMs[Math.floor(part * (waitsMs.length - 1))] ?? 0) / 1_000;
    return {
      warmShare: this.#warm / this.#later,
      waitP50: quantile(0.5),
      waitP99: quantile(0.99),
      meanTotal: this.#totalMs / (waitsMs.length - this.#refused) / 1_000,
      maxByMean: this.#ratioSum / this.#ratios,
      builds: waitsMs.length,
      refused: this.#refused,
    };
  }
}
