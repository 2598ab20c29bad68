import type { Cancel } from "../../../src/base/clock.ts";
import { acceptsBuilds, type Replica } from "../../../src/replicas/replica.ts";
import type { PlacementOutcome, Placer } from "../../../src/routing/placer.ts";
import type { PlacerFleet } from "../../../src/routing/queued-placer-options.ts";
import type { EventClock } from "./event-clock.ts";
import { Measurements } from "./measurements.ts";
import type { PlannedBuild, ScenarioOptions } from "./scenario.ts";

interface SimulatedReplica {
  snapshot: Replica;
  /** Repositories whose cache it has, the one that has not built for longest first. */
  readonly cache: Set<string>;
}

/** How often load is looked at. */
const SAMPLE_MS = 10_000;

/** Replicas that build what a placer sends them, with caches that fill and are lost. */
export class World implements PlacerFleet {
  readonly measurements: Measurements;
  readonly #clock: EventClock;
  readonly #options: ScenarioOptions;
  readonly #replicas = new Map<string, SimulatedReplica>();
  readonly #listeners = new Set<() => void>();
  readonly #onBuilt: (key: string, replicaId: string) => void;
  /** Repositories that have built. */
  readonly #seen = new Set<string>();
  #list: readonly Replica[] | undefined;
  #joined = 0;

  /** `onBuilt` hears of every build that has ended. */
  constructor(options: ScenarioOptions, clock: EventClock, onBuilt: (key: string, replicaId: string) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#onBuilt = onBuilt;
    this.measurements = new Measurements(options.durationMs / 6);
    for (let i = 0; i < options.replicas; i++) this.#join();
  }

  replicas(): readonly Replica[] {
    this.#list ??= [...this.#replicas.values()]
      .map(({ snapshot }) => snapshot)
      .sort((one, other) => (one.id < other.id ? -1 : 1));
    return this.#list;
  }

  describe(): string {
    return `${this.#replicas.size} replicas`;
  }

  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Send all planned builds to a placer at their time, and let replicas come and go. */
  run(builds: readonly PlannedBuild[], placer: Placer): void {
    const next = (index: number): void => {
      const build = builds[index];
      if (!build) return;
      this.#clock.after(build.atMs - this.#clock.nowMs(), () => {
        this.#arrive(build, placer);
        next(index + 1);
      });
    };
    next(0);
    this.#every(SAMPLE_MS, () => this.#sample());
    let isJoining = true;
    this.#every(this.#options.churnEveryMs, () => {
      if (isJoining) this.#join();
      else this.#drainOldest();
      isJoining = !isJoining;
    });
  }

  #every(intervalMs: number, what: () => void): void {
    this.#clock.after(intervalMs, () => {
      what();
      this.#every(intervalMs, what);
    });
  }

  #arrive(build: PlannedBuild, placer: Placer): void {
    const request = {
      purpose: "build",
      key: build.key,
      fairKey: build.key,
      excluded: new Map(),
      onChosen: (replicaId: string) => this.#start(build, replicaId, placer.buildStarted(build.key)),
      onWaiting: () => undefined,
    } as const;
    const noteRefusal = ({ t }: PlacementOutcome): void => {
      if (t === "refused") this.measurements.refused(build.atMs);
    };
    void placer.place(request, new AbortController().signal).then(noteRefusal);
  }

  #start({ key, warmMs, atMs }: PlannedBuild, replicaId: string, endTurn: Cancel): void {
    const replica = this.#replicas.get(replicaId)!;
    const isWarm = replica.cache.has(key);
    const lengthMs = isWarm ? warmMs : warmMs * this.#options.coldFactor;
    const nowMs = this.#clock.nowMs();
    this.measurements.started({
      arrivedMs: atMs,
      waitMs: nowMs - atMs,
      lengthMs,
      isWarm,
      isFirst: !this.#seen.has(key),
    });
    this.#seen.add(key);
    this.#changeLoad(replica, 1);
    this.#clock.after(lengthMs, () => {
      replica.cache.delete(key);
      replica.cache.add(key);
      if (replica.cache.size > this.#options.cachedRepositories) {
        const [oldest] = replica.cache;
        replica.cache.delete(oldest!);
      }
      this.#onBuilt(key, replicaId);
      endTurn();
      this.#changeLoad(replica, -1);
    });
  }

  #changeLoad(replica: SimulatedReplica, change: number): void {
    const { snapshot } = replica;
    replica.snapshot = { ...snapshot, runningBuilds: snapshot.runningBuilds + change };
    if (snapshot.state.t === "draining" && replica.snapshot.runningBuilds === 0) this.#replicas.delete(snapshot.id);
    this.#changed();
  }

  #join(): void {
    const id = `buildkit-${this.#joined++}`;
    const snapshot: Replica = {
      id,
      address: { t: "tcp", host: id, port: 1234 },
      state: { t: "ready", sinceMs: this.#clock.nowMs() },
      identity: `daemon of ${id}`,
      runningBuilds: 0,
      unconfirmedBuilds: 0,
    };
    this.#replicas.set(id, { snapshot, cache: new Set() });
    this.#changed();
  }

  /** It takes no new build, and leaves when its last one has ended. */
  #drainOldest(): void {
    for (const replica of this.#replicas.values()) {
      if (!acceptsBuilds(replica.snapshot)) continue;
      const state = { t: "draining", sinceMs: this.#clock.nowMs(), reason: "scaled down" } as const;
      replica.snapshot = { ...replica.snapshot, state };
      this.#changeLoad(replica, 0);
      return;
    }
  }

  #changed(): void {
    this.#list = undefined;
    for (const listener of this.#listeners) listener();
  }

  #sample(): void {
    const loads = this.replicas()
      .filter(acceptsBuilds)
      .map(({ runningBuilds }) => runningBuilds);
    this.measurements.sampled(this.#clock.nowMs(), loads);
  }
}
