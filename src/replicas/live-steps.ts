import type { Cancel, Clock } from "../base/clock.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import { readStatusVertexes } from "../buildkit/status-vertexes.ts";
import { controlRpcs } from "../buildkit/wire-contracts.ts";

/** How far a build is. Steps are found while it goes on, so that the total grows. */
export interface StepCount {
  /** From the cache or not. */
  readonly done: number;
  readonly total: number;
}

/** What is watched with. */
export interface LiveStepsOptions {
  readonly clock: Clock;
  readonly client: (replicaId: string) => Pick<ReplicaClient, "stream"> | undefined;
}

/** Builds that are watched at once; others are not. A daemon sends each watcher all that the build has printed. */
const MAX_WATCHED = 32;

/** Steps of one build that are counted. */
const MAX_STEPS = 10_000;

/** Longest digest that is taken for one: `sha256:` and 64 digits, with room for other algorithms. */
const MAX_DIGEST_CHARACTERS = 200;

/** A build that nobody has asked about for this long is not watched on. */
const LINGER_MS = 5_000;

/** One build that is watched. */
interface Watch {
  readonly steps: Map<string, boolean>;
  readonly cancel: Cancel;
  done: number;
  askedAtMs: number;
}

/**
 * Counts the steps of builds that run, for as long as somebody asks: each is
 * followed by a Status call of the gateway's own, as by a second client.
 */
export class LiveSteps {
  readonly #options: LiveStepsOptions;
  readonly #watches = new Map<string, Watch>();
  #cancelSweep: Cancel = () => {};

  constructor(options: LiveStepsOptions) {
    this.#options = options;
  }

  /** How far the build is. `undefined`: not known, or not yet; ask again. */
  of(buildRef: string, replicaId: string): StepCount | undefined {
    const id = `${replicaId}\n${buildRef}`;
    const watch = this.#watches.get(id) ?? this.#begin(id, buildRef, replicaId);
    if (!watch) return undefined;
    watch.askedAtMs = this.#options.clock.nowMs();
    const { done, steps } = watch;
    return steps.size === 0 ? undefined : { done, total: steps.size };
  }

  /** Watch no more. */
  stop(): void {
    this.#cancelSweep();
    for (const { cancel } of this.#watches.values()) cancel();
    this.#watches.clear();
  }

  #begin(id: string, buildRef: string, replicaId: string): Watch | undefined {
    const { clock, client } = this.#options;
    const daemon = this.#watches.size < MAX_WATCHED ? client(replicaId) : undefined;
    if (!daemon) return undefined;
    const { Status } = controlRpcs;
    const told = daemon.stream(Status, Status.requestSerialize({ Ref: buildRef }), {});
    const watch: Watch = { steps: new Map(), cancel: () => told.cancel(), done: 0, askedAtMs: clock.nowMs() };
    told.on("data", (message: Buffer) => note(watch, message));
    // What is known by then stays as it is until nobody asks.
    told.on("error", () => {});
    this.#watches.set(id, watch);
    if (this.#watches.size === 1) this.#sweepLater();
    return watch;
  }

  #sweepLater(): void {
    const { clock } = this.#options;
    this.#cancelSweep = clock.after(LINGER_MS, () => {
      for (const [id, { askedAtMs, cancel }] of this.#watches) {
        if (clock.nowMs() - askedAtMs < LINGER_MS) continue;
        cancel();
        this.#watches.delete(id);
      }
      if (this.#watches.size > 0) this.#sweepLater();
    });
  }
}

function note(watch: Watch, message: Buffer): void {
  const { steps } = watch;
  for (const { digest, isCompleted } of readStatusVertexes(message)) {
    const was = steps.get(digest);
    if (was === undefined && (steps.size >= MAX_STEPS || digest.length > MAX_DIGEST_CHARACTERS)) continue;
    steps.set(digest, isCompleted);
    watch.done += Number(isCompleted) - Number(was ?? false);
  }
}
