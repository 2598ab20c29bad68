import type { Cancel } from "../base/clock.ts";
import type { SpentPatience } from "./patience.ts";

/** What can stand in a queue. */
export interface QueuedBuild {
  readonly fairKey: string;
  /** Builds are numbered as they come. */
  readonly arrival: number;
}

/** What came of the offer to the head of a fair key. */
export type OfferResult =
  /** It goes on, and is no longer in the queue. */
  | "taken"
  /** It cannot go on now; whoever is behind it under its fair key waits as well. */
  | "passed"
  /** Nobody can go on now. */
  | "stop";

/** Builds of one fair key: those that wait, in the order they came, and how many run. */
export interface Turn<B extends QueuedBuild> extends SpentPatience {
  readonly fairKey: string;
  readonly weight: number;
  waiting: Set<B>;
  /** The latest arrival that has ever waited. */
  lastArrival: number;
  running: number;
  /** What its head waits for, as it was said, and what that text is about. */
  cause: { readonly about: string; readonly text: string };
}

/** A build in the order of service: fewest running builds of its key, by its weight, then first come. */
interface Standing<B extends QueuedBuild> {
  readonly turn: Turn<B>;
  readonly build: B;
  readonly cost: number;
}

/**
 * A queue that is fair by key. The key with the fewest running builds for its
 * weight goes first, then first come; builds of one key keep their order.
 */
export class BuildQueue<B extends QueuedBuild> {
  readonly #weightOf: (fairKey: string) => number;
  /** Fair keys of which a build waits or runs. */
  readonly #turns = new Map<string, Turn<B>>();
  /** Those of which one waits. */
  readonly #waitingTurns = new Set<Turn<B>>();
  #size = 0;
  #running = 0;

  /** `weightOf`: the share of a fair key, above 0. */
  constructor(weightOf: (fairKey: string) => number) {
    this.#weightOf = weightOf;
  }

  /** Builds that wait. */
  get size(): number {
    return this.#size;
  }

  /** Builds that run. */
  get running(): number {
    return this.#running;
  }

  /** What is known of a fair key of which a build waits or runs. */
  turn(fairKey: string): Turn<B> | undefined {
    return this.#turns.get(fairKey);
  }

  /** Put a build in its key's line: at the end, or where it stood, if it comes back. */
  add(build: B): Turn<B> {
    const turn = this.#turnOf(build.fairKey);
    turn.waiting.add(build);
    if (build.arrival < turn.lastArrival) {
      turn.waiting = new Set([...turn.waiting].sort((one, other) => one.arrival - other.arrival));
    } else {
      turn.lastArrival = build.arrival;
    }
    this.#waitingTurns.add(turn);
    this.#size++;
    return turn;
  }

  /** Take a build out, from wherever it stands. */
  remove(build: B): void {
    const turn = this.#turns.get(build.fairKey);
    if (!turn?.waiting.delete(build)) return;
    this.#size--;
    if (turn.waiting.size === 0) this.#waitingTurns.delete(turn);
    this.#forgetIfIdle(turn);
  }

  /** A build of a fair key runs; call the result when it has ended. */
  started(fairKey: string): Cancel {
    const turn = this.#turnOf(fairKey);
    turn.running++;
    this.#running++;
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      turn.running--;
      this.#running--;
      this.#forgetIfIdle(turn);
    };
  }

  /**
   * Offer to go on to the head of each fair key in the order of service, and to
   * the next of a key whose head went. What goes has to be counted by `started`
   * during the offer, or its key keeps its turn.
   */
  serve(offer: (head: B, turn: Turn<B>) => OfferResult): void {
    const line = [...this.#waitingTurns].map((turn) => standing(turn)).sort(laterFirst);
    for (let next = line.pop(); next; next = line.pop()) {
      const { turn, build } = next;
      const result = offer(build, turn);
      if (result === "stop") return;
      if (result === "taken" && turn.waiting.size > 0) insert(line, standing(turn));
    }
  }

  /** The first of each fair key of which one waits. */
  *heads(): Generator<B> {
    for (const { waiting } of this.#waitingTurns) yield waiting.values().next().value!;
  }

  /** No place is empty: whoever waits for a better one keeps nobody out of it. */
  nothingEmpty(): void {
    for (const turn of this.#waitingTurns) turn.emptySinceMs = undefined;
  }

  /** All that wait, in the order in which they would be served if nothing ended. */
  inOrder(): B[] {
    const all: Standing<B>[] = [];
    for (const turn of this.#waitingTurns) {
      let ahead = turn.running;
      for (const build of turn.waiting) all.push({ turn, build, cost: ahead++ / turn.weight });
    }
    return all
      .sort(laterFirst)
      .reverse()
      .map(({ build }) => build);
  }

  #turnOf(fairKey: string): Turn<B> {
    const known = this.#turns.get(fairKey);
    if (known) return known;
    const turn: Turn<B> = {
      fairKey,
      weight: this.#weightOf(fairKey),
      waiting: new Set(),
      lastArrival: -1,
      running: 0,
      emptySinceMs: undefined,
      passedOverSinceMs: undefined,
      cause: { about: "", text: "" },
    };
    this.#turns.set(fairKey, turn);
    return turn;
  }

  #forgetIfIdle(turn: Turn<B>): void {
    if (turn.running === 0 && turn.waiting.size === 0) this.#turns.delete(turn.fairKey);
  }
}

/** The head of a turn that has one. */
function standing<B extends QueuedBuild>(turn: Turn<B>): Standing<B> {
  const [head] = turn.waiting;
  return { turn, build: head!, cost: turn.running / turn.weight };
}

function laterFirst<B extends QueuedBuild>(one: Standing<B>, other: Standing<B>): number {
  return other.cost - one.cost || other.build.arrival - one.build.arrival;
}

/** Put a standing where it belongs in a line that ends with whoever is next. */
function insert<B extends QueuedBuild>(line: Standing<B>[], added: Standing<B>): void {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (laterFirst(line[middle]!, added) < 0) low = middle + 1;
    else high = middle;
  }
  line.splice(low, 0, added);
}
