import { createHash } from "node:crypto";
import type { Cancel, Clock } from "../base/clock.ts";

/** A build that history has not confirmed by then is no longer said to be unseen by others: it may never list it. */
const UNCONFIRMED_MS = 1_000;

/** A build that has ended for us and is still listed as running: its end was missed, or the daemon keeps it. */
const OVERDUE_MS = 30_000;

/** A history that is lost for longer than this is no longer believed. */
const LOST_MS = 10_000;

/** Builds of one daemon that are counted by its history at most. */
const MAX_LISTED = 10_000;

/** Ends that are remembered, against a start that comes after its end: the daemon sends each event on its own. */
const MAX_ENDS = 1_000;

/** Real refs have 25 characters; a longer one than this is known by its digest. */
const MAX_REF_CHARACTERS = 128;

/** What is known of one build. It runs while it is placed or listed. */
interface Build {
  /** How often we have placed it, and it has not ended. */
  placements: number;
  /** The listing in or after which history has told that it runs. */
  listedBy: number | undefined;
  /** History has told of its end. */
  isComplete: boolean;
  /** Set while history has yet to tell of it. */
  cancelUnconfirmed: Cancel | undefined;
  /** Set while history has yet to tell of its end. */
  cancelOverdue: Cancel | undefined;
}

/**
 * What is known of one replica's history. `lost`: nothing new; `asked`: it is
 * told, but not yet what ran before; `listed`: all; `none`: there is none.
 */
type HistoryState = "lost" | "asked" | "listed" | "none";

/**
 * Builds that run on one replica: those that we have placed, from that moment,
 * and those that its history lists, whoever started them.
 */
export class ReplicaLoad {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #builds = new Map<string, Build>();
  /** When builds that have ended were created, by their refs, by the daemon's clock. */
  readonly #ends = new Map<string, number>();
  #running = 0;
  #unconfirmed = 0;
  #listed = 0;
  /** When the last build ended. */
  #idleSinceMs: number | undefined;
  /** Listings so far. */
  #listings = 0;
  #history: HistoryState = "lost";
  #hasOverdue = false;
  #cancelLost: Cancel = () => {};

  /** `onChange` is called after `running`, `unconfirmed` or `isKnown` has changed. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get running(): number {
    return this.#running;
  }

  /** Whether others' builds are counted, or the daemon does not tell of them. */
  get isKnown(): boolean {
    return this.#history === "listed" || this.#history === "none";
  }

  /** Whether it counts what a daemon may have failed to tell the end of. */
  get isDoubtful(): boolean {
    return this.#listed > 0;
  }

  /** Whether a build that has ended for us is listed for longer than it should be. */
  get hasOverdue(): boolean {
    return this.#hasOverdue;
  }

  /** Builds of ours that the history does not list yet, each for a second at most. 0 while it is not followed. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Time since the last build ended: 0 while one runs, Infinity if none was seen. */
  get idleMs(): number {
    if (this.#running > 0) return 0;
    return this.#idleSinceMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.nowMs() - this.#idleSinceMs;
  }

  /** We have placed a build. It has ended for us when the result is called, and when it was for each placement of its ref. */
  buildStarted(buildRef: string): Cancel {
    const key = keyOf(buildRef);
    this.#change(key, (build) => {
      build.placements++;
      build.cancelOverdue?.();
      build.cancelOverdue = undefined;
      if (build.placements > 1 || build.listedBy !== undefined || !this.#isFollowed) return;
      build.cancelUnconfirmed = this.#clock.after(UNCONFIRMED_MS, () => this.#change(key, confirm));
    });
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#change(key, (build) => this.#placementEnded(key, build));
    };
  }

  /** The history lists a build as running. `createdAtMs` by the daemon's clock. */
  listed(buildRef: string, createdAtMs: number): void {
    const key = keyOf(buildRef);
    const endedMs = this.#ends.get(key);
    if (endedMs !== undefined && createdAtMs <= endedMs) return;
    if (this.#listed >= MAX_LISTED && !this.#builds.has(key)) return;
    this.#change(key, (build) => {
      confirm(build);
      build.isComplete = false;
      build.listedBy = this.#listings;
    });
  }

  /** The history tells of a build's end. */
  ended(buildRef: string, createdAtMs: number): void {
    const key = keyOf(buildRef);
    const endedMs = this.#ends.get(key) ?? 0;
    this.#ends.delete(key);
    this.#ends.set(key, Math.max(endedMs, createdAtMs));
    if (this.#ends.size > MAX_ENDS) this.#ends.delete(this.#ends.keys().next().value!);
    if (!this.#builds.has(key)) return;
    this.#change(key, (build) => {
      confirm(build);
      build.isComplete = true;
      unlist(build);
    });
  }

  /** The history will soon be told. */
  historyAsked(): void {
    this.#become("asked");
  }

  /** All that runs is asked for: what history tells from now on belongs to the listing, too. The result names it. */
  listingBegins(): number {
    return ++this.#listings;
  }

  /** All that ran has been told since that listing began: what history has told only before has ended. */
  listingEnds(listing: number): void {
    this.#cancelLost();
    this.#hasOverdue = false;
    this.#unlistBefore(listing);
    if (this.#history === "asked") this.#become("listed");
  }

  /** The history is told no longer; what it listed is believed for a while. */
  historyLost(): void {
    this.#become("lost");
    this.#confirmAll();
    this.#cancelLost();
    if (this.#listed === 0) return;
    const next = this.#listings + 1;
    this.#cancelLost = this.#clock.after(LOST_MS, () => this.#unlistBefore(next));
  }

  /** What is there from now on is another daemon, whose history is not known: only what we have placed and that has not ended counts. */
  forgetHistory(): void {
    this.#forget("lost");
  }

  /** There is no history, or no daemon: only what we have placed and that has not ended counts. */
  historyMissing(): void {
    this.#forget("none");
  }

  #forget(history: HistoryState): void {
    this.#cancelLost();
    this.#ends.clear();
    this.#confirmAll();
    for (const key of this.#builds.keys()) this.#change(key, unlist);
    this.#hasOverdue = false;
    this.#become(history);
  }

  get #isFollowed(): boolean {
    return this.#history === "asked" || this.#history === "listed";
  }

  #placementEnded(key: string, build: Build): void {
    build.placements--;
    if (build.placements > 0) return;
    confirm(build);
    if (build.isComplete || (!this.#isFollowed && build.listedBy === undefined)) return;
    build.cancelOverdue = this.#clock.after(OVERDUE_MS, () => this.#change(key, (late) => this.#overdue(late)));
  }

  /** Only a listing can tell whether the daemon runs it still. */
  #overdue(build: Build): void {
    build.cancelOverdue = undefined;
    if (build.listedBy !== undefined) this.#hasOverdue = true;
  }

  #confirmAll(): void {
    for (const [key, build] of this.#builds) if (build.cancelUnconfirmed) this.#change(key, confirm);
  }

  #unlistBefore(listing: number): void {
    for (const [key, { listedBy }] of this.#builds) {
      if (listedBy !== undefined && listedBy < listing) this.#change(key, unlist);
    }
  }

  #become(history: HistoryState): void {
    const wasKnown = this.isKnown;
    this.#history = history;
    if (wasKnown !== this.isKnown) this.#onChange();
  }

  /** Change what is known of a build; the only place where the counts change. */
  #change(key: string, change: (build: Build) => void): void {
    const was = { running: this.#running, unconfirmed: this.#unconfirmed };
    const build = this.#builds.get(key) ?? newBuild();
    this.#count(build, -1);
    change(build);
    this.#count(build, 1);
    if (isRunning(build) || build.cancelOverdue) this.#builds.set(key, build);
    else this.#builds.delete(key);
    if (was.running > 0 && this.#running === 0) this.#idleSinceMs = this.#clock.nowMs();
    if (was.running !== this.#running || was.unconfirmed !== this.#unconfirmed) this.#onChange();
  }

  #count(build: Build, sign: 1 | -1): void {
    if (isRunning(build)) this.#running += sign;
    if (build.cancelUnconfirmed) this.#unconfirmed += sign;
    if (build.listedBy !== undefined) this.#listed += sign;
  }
}

function newBuild(): Build {
  return {
    placements: 0,
    listedBy: undefined,
    isComplete: false,
    cancelUnconfirmed: undefined,
    cancelOverdue: undefined,
  };
}

function isRunning({ placements, listedBy }: Build): boolean {
  return placements > 0 || listedBy !== undefined;
}

function confirm(build: Build): void {
  build.cancelUnconfirmed?.();
  build.cancelUnconfirmed = undefined;
}

function unlist(build: Build): void {
  build.listedBy = undefined;
  build.cancelOverdue?.();
  build.cancelOverdue = undefined;
}

function keyOf(buildRef: string): string {
  return buildRef.length <= MAX_REF_CHARACTERS ? buildRef : createHash("sha256").update(buildRef).digest("hex");
}
