import { setImmediate as turn } from "node:timers/promises";
import { seededRandom } from "../support/seeded-random.ts";
import type { CodeCoverage, Place } from "./code-coverage.ts";
import { Corpus } from "./corpus.ts";
import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { shrink } from "./shrink.ts";

/** Inputs between two looks at what code was reached. */
const BATCH = 64;

const DEFAULT_SLOW_MS = 1_000;

const DEFAULT_GROWTH_BYTES = 64 * 2 ** 20;

const DEFAULT_SHRINK_MS = 20_000;

const DEFAULT_MAX_FINDINGS = 5;

/** An input for which the outcome was wrong. */
export interface Finding {
  /** The smallest input found. */
  readonly input: Buffer;
  readonly reason: string;
}

/** How far a run has come. */
export interface Progress {
  readonly inputs: number;
  /** Inputs kept for having reached new code. */
  readonly kept: number;
  /** Share of the sources' code that was reached; undefined where that is not looked at. */
  readonly reached: number | undefined;
}

/** How a target is fuzzed. */
export interface FuzzOptions {
  readonly seed: number;
  readonly maxInputs: number;
  /** By `performance.now()`. */
  readonly endMs: number;
  readonly coverage?: CodeCoverage | undefined;
  /** How long a finding is made smaller. Default 20,000. */
  readonly shrinkMs?: number;
  /** Findings after which the run is over. Default 5. */
  readonly maxFindings?: number;
  /** Told of every input before it is run, with a number that grows. */
  readonly note?: (count: number, input: Buffer) => void;
  readonly onProgress?: (progress: Progress) => void;
  readonly onFinding: (finding: Finding) => void;
}

/** Run inputs on a target until their number or the time is over, or there are too many findings. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<Progress> {
  const loop = new FuzzLoop(target, options);
  try {
    await loop.run();
  } finally {
    await loop.close();
  }
  return loop.progress;
}

/** Run one input on a target of its own; throws what the target throws. */
export async function runOnce(target: FuzzTarget, input: Buffer): Promise<void> {
  const open = await target.open();
  try {
    await runTimed(open, input, target.slowMs ?? DEFAULT_SLOW_MS);
  } finally {
    await open.close?.();
  }
}

class FuzzLoop {
  readonly #target: FuzzTarget;
  readonly #options: FuzzOptions;
  readonly #corpus: Corpus;
  readonly #coverage: CodeCoverage | undefined;
  readonly #seen = new Set<string>();
  #open: OpenTarget | undefined;
  #inputs = 0;
  #noted = 0;

  constructor(target: FuzzTarget, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#corpus = new Corpus(target, seededRandom(options.seed));
    this.#coverage = target.sources.length > 0 ? options.coverage : undefined;
    this.#coverage?.watch(target.sources);
  }

  get progress(): Progress {
    return { inputs: this.#inputs, kept: this.#corpus.size, reached: this.#coverage?.reached };
  }

  async run(): Promise<void> {
    const { onProgress } = this.#options;
    const memory = new MemoryWatch(this.#target.maxGrowthBytes ?? DEFAULT_GROWTH_BYTES);
    await this.#runBatch(this.#corpus.given.slice(0, this.#options.maxInputs));
    while (!this.#isOver) {
      const left = Math.min(BATCH, this.#options.maxInputs - this.#inputs);
      await this.#runBatch(Array.from({ length: left }, () => this.#corpus.next()));
      const reason = memory.look();
      if (reason !== undefined && !this.#seen.has("memory")) {
        this.#seen.add("memory");
        this.#report({ input: Buffer.alloc(0), reason });
      }
      onProgress?.(this.progress);
      await turn();
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close?.();
  }

  get #isOver(): boolean {
    const { maxInputs, endMs, maxFindings = DEFAULT_MAX_FINDINGS } = this.#options;
    return this.#inputs >= maxInputs || performance.now() >= endMs || this.#seen.size >= maxFindings;
  }

  async #runBatch(batch: readonly Buffer[]): Promise<void> {
    const run: Buffer[] = [];
    for (const input of batch) {
      if (this.#isOver) break;
      if (await this.#run(input)) run.push(input);
    }
    const news = this.#coverage?.look();
    if (news && news.size > 0) await this.#keepNews(run, news);
  }

  /** Run an input; false where it was a finding, which is then reported. */
  async #run(input: Buffer): Promise<boolean> {
    this.#options.note?.(this.#noted++, input);
    this.#inputs++;
    this.#open ??= await this.#target.open();
    try {
      const running = runTimed(this.#open, input, this.#target.slowMs ?? DEFAULT_SLOW_MS);
      if (running) await running;
      return true;
    } catch (reason) {
      // What the input was run on may be broken now.
      await this.close();
      await this.#found(input, reason);
      return false;
    }
  }

  /** Keep those inputs of a batch that reach what is new: one for each place, found by running them again one by one. */
  async #keepNews(batch: readonly Buffer[], news: Set<Place>): Promise<void> {
    for (const input of batch) {
      if (news.size === 0) return;
      await this.#run(input);
      const reached = this.#coverage!.reachedOf(news);
      if (reached.length > 0) this.#corpus.keep(input);
      for (const place of reached) news.delete(place);
    }
  }

  async #found(input: Buffer, cause: unknown): Promise<void> {
    const key = fingerprint(cause);
    if (this.#seen.has(key)) return;
    const endMs = performance.now() + (this.#options.shrinkMs ?? DEFAULT_SHRINK_MS);
    const fails = async (candidate: Buffer): Promise<boolean> => {
      this.#options.note?.(this.#noted++, candidate);
      try {
        await runOnce(this.#target, candidate);
        return false;
      } catch (reason) {
        return fingerprint(reason) === key;
      }
    };
    const smallest = await shrink(input, fails, () => performance.now() > endMs);
    this.#seen.add(key);
    this.#report({ input: smallest, reason: describe(cause) });
  }

  #report(finding: Finding): void {
    this.#options.onFinding(finding);
  }
}

/** Run an input. Rejects, too, where it took long, on the clock and of the processor. */
function runTimed(open: OpenTarget, input: Buffer, slowMs: number): Promise<void> | undefined {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const check = (): void => {
    if (performance.now() - startMs < slowMs) return;
    const { user, system } = process.cpuUsage(startCpu);
    const cpuMs = Math.round((user + system) / 1_000);
    if (cpuMs >= slowMs) throw new Error(`slow: ${cpuMs} ms of the processor for one input of ${input.length} bytes`);
  };
  const running = open.run(input);
  if (running) return running.then(check);
  check();
  return undefined;
}

/** The same for what is most likely the same defect: numbers and quoted texts differ from input to input. */
function fingerprint(cause: unknown): string {
  return describe(cause)
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\d+/g, "0")
    .slice(0, 120);
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const text = cause.stack ?? cause.message;
  return cause.cause === undefined ? text : `${text}\n${String(cause.cause)}`;
}
