import type { Transport } from "./transport.ts";

/** What may wait beyond the backlog limit, as a multiple of it, where nothing can be stopped to shorten it. */
const FAR_BEYOND_FACTOR = 16;

/** The part of a connection that this is about. */
export interface Congestible {
  readonly transport: Pick<
    Transport,
    "backlogBytes" | "isReadPaused" | "pauseReading" | "resumeReading" | "onceDrained"
  >;
  /** Payload that waits for the peer's windows. */
  readonly queuedBytes: number;
  readonly isClosed: boolean;
  readonly congestion: Congestion;
}

/** Keeps what waits to be written to one peer within bounds, by not reading whoever produces it. */
export class Congestion {
  readonly #connection: Congestible;
  readonly #limitBytes: number;
  #waiters: (() => void)[] = [];
  #willCheck = false;

  /** `limitBytes`: what may wait before its producers are stopped. */
  constructor(connection: Congestible, limitBytes: number) {
    this.#connection = connection;
    this.#limitBytes = limitBytes;
  }

  /** More waits than stopping others can explain: the peer asks for answers and reads none. */
  get isHopeless(): boolean {
    return this.#connection.transport.backlogBytes > this.#limitBytes * FAR_BEYOND_FACTOR;
  }

  /**
   * Stop reading this connection's peer for as long as `target` has too much to
   * write.
   *
   * What waits for a window of the target's peer is let go by frames of that
   * peer: where those are not read either, stopping here would stop both for
   * ever, so it is done only far beyond the limit.
   */
  stopReadingFor(target: Congestible): void {
    const { transport } = this.#connection;
    if (transport.isReadPaused || !target.congestion.isOver) return;
    const drainsByItself = target.transport.backlogBytes > this.#limitBytes;
    const isFarBeyond = target.queuedBytes > this.#limitBytes * FAR_BEYOND_FACTOR;
    if (target.transport.isReadPaused && !drainsByItself && !isFarBeyond) return;
    transport.pauseReading();
    target.congestion.onceRelieved(() => transport.resumeReading());
  }

  /** More waits than the limit: producers should stop. */
  get isOver(): boolean {
    return this.#connection.transport.backlogBytes + this.#connection.queuedBytes > this.#limitBytes;
  }

  /** Call `resume` once, when no more waits than the limit or the connection is closed. */
  onceRelieved(resume: () => void): void {
    this.#waiters.push(resume);
    this.#checkWhenDrained();
  }

  #checkWhenDrained(): void {
    if (this.#willCheck) return;
    this.#willCheck = true;
    this.#connection.transport.onceDrained(() => {
      this.#willCheck = false;
      this.check();
    });
  }

  /** Something was written, dropped or closed: producers that were stopped may go on. */
  check(): void {
    if (this.#waiters.length === 0) return;
    if (this.isOver && !this.#connection.isClosed) {
      // What has left was not all: more waits for windows, and will be written too.
      this.#checkWhenDrained();
      return;
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resume of waiters) resume();
  }
}
