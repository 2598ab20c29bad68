import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Time between two looks: each collects all garbage. */
const INTERVAL_MS = 3_000;

/** Looks until memory counts as settled: code is compiled, tables and the corpus fill. */
const SETTLING_LOOKS = 5;

/** Notices memory that grows from input to input. */
export class MemoryWatch {
  readonly #maxGrowthBytes: number;
  readonly #collectGarbage: () => void;
  #lastLookMs = performance.now();
  #looks = 0;
  #settledBytes = 0;

  constructor(maxGrowthBytes: number) {
    this.#maxGrowthBytes = maxGrowthBytes;
    setFlagsFromString("--expose-gc");
    this.#collectGarbage = runInNewContext("gc") as () => void;
  }

  /** What is wrong, if it is time to look and something is. */
  look(): string | undefined {
    if (performance.now() - this.#lastLookMs < INTERVAL_MS) return undefined;
    this.#collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    const usedBytes = heapUsed + external;
    this.#lastLookMs = performance.now();
    if (this.#looks++ < SETTLING_LOOKS) {
      this.#settledBytes = Math.max(this.#settledBytes, usedBytes);
      return undefined;
    }
    const grownBytes = usedBytes - this.#settledBytes;
    if (grownBytes <= this.#maxGrowthBytes) return undefined;
    return `memory grew by ${grownBytes} bytes over the run, more than ${this.#maxGrowthBytes}`;
  }
}
