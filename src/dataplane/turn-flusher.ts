/** Something that collects output during a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/** Scratch memory for small frames. Kept for reuse: 256 × 16 KiB at most. */
const SCRATCH_BYTES = 16 * 1024;
const MAX_IDLE_SCRATCHES = 256;

/**
 * Writes once per turn and socket. Most of a relay's time is spent in write
 * system calls, so everything that one turn of the event loop produced for a
 * socket leaves together, after all sockets that were ready have been read.
 */
export class TurnFlusher {
  #dirty: Flushable[] = [];
  #isScheduled = false;
  readonly #idleScratches: Buffer[] = [];

  /** Flush `output` at the end of this turn. Call it once until then. */
  schedule(output: Flushable): void {
    this.#dirty.push(output);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flushAll);
  }

  /** Memory for small frames; give it back when nothing is written from it any more. */
  takeScratch(): Buffer {
    return this.#idleScratches.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  }

  giveBackScratch(scratch: Buffer): void {
    if (this.#idleScratches.length < MAX_IDLE_SCRATCHES) this.#idleScratches.push(scratch);
  }

  #flushAll = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#isScheduled = false;
    for (const output of dirty) output.flush();
  };
}
