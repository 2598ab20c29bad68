import type { Cancel } from "../../../src/base/clock.ts";
import { silentLog } from "../../../src/base/log.ts";
import { describeReplica, type Replica } from "../../../src/replicas/replica.ts";
import type { PlacementOutcome, PlacementRequest, Waiting } from "../../../src/routing/placer.ts";
import { QueuedPlacer } from "../../../src/routing/queued-placer.ts";
import type { PlacerFleet, PlacerOptions } from "../../../src/routing/queued-placer-options.ts";
import { WarmMemory } from "../../../src/routing/warm-memory.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A replica that takes builds, with what a test does not care for filled in. */
export function idleReplica(id: string, parts: Partial<Replica> = {}): Replica {
  return {
    id,
    address: { t: "tcp", host: id, port: 1234 },
    state: { t: "ready", sinceMs: 0 },
    identity: `daemon of ${id}`,
    runningBuilds: 0,
    unconfirmedBuilds: 0,
    ...parts,
  };
}

/** Replicas whose state and load a test decides on. */
export class ScriptedFleet implements PlacerFleet {
  readonly #replicas = new Map<string, Replica>();
  readonly #listeners = new Set<() => void>();
  #list: readonly Replica[] | undefined;

  constructor(ids: readonly string[]) {
    for (const id of ids) this.#replicas.set(id, idleReplica(id));
  }

  replicas(): readonly Replica[] {
    this.#list ??= [...this.#replicas.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
    return this.#list;
  }

  describe(): string {
    return this.replicas().map(describeReplica).join(", ") || "no replica is known";
  }

  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  running(id: string): number {
    return this.#replicas.get(id)!.runningBuilds;
  }

  /** Change a replica, or add it. */
  set(id: string, parts: Partial<Replica>): void {
    this.#replicas.set(id, { ...(this.#replicas.get(id) ?? idleReplica(id)), ...parts });
    this.#changed();
  }

  remove(id: string): void {
    this.#replicas.delete(id);
    this.#changed();
  }

  #changed(): void {
    this.#list = undefined;
    for (const listener of this.#listeners) listener();
  }
}

/** A build that was asked a place for, and what has come of it. */
export interface AskedBuild {
  readonly name: string;
  /** All that it was told. */
  readonly told: Waiting[];
  readonly signal: AbortController;
  outcome: PlacementOutcome | undefined;
  /** Where it runs, chosen at once. */
  replicaId: string | undefined;
  /** It runs no more. */
  end(): void;
}

export const USUAL_OPTIONS: PlacerOptions = {
  loadFactor: 1.25,
  loadFloor: 4,
  maxBuilds: 4,
  patienceMs: 5_000,
  queueBuilds: 1_000,
  queueTimeoutMs: 1_800_000,
  perKey: 0,
  weightOf: () => 1,
};

/** A placer in front of a fleet, a memory and a clock that a test scripts. */
export class PlacerRig {
  readonly clock = new FakeClock();
  readonly memory = new WarmMemory({ clock: this.clock, lifetimeMs: 3_600_000, maxKeys: 1_000 });
  readonly fleet: ScriptedFleet;
  readonly placer: QueuedPlacer;
  /** `name → replica` in the order of the decisions. */
  readonly journal: string[] = [];

  constructor(ids: readonly string[] = ["a", "b", "c"], options: Partial<PlacerOptions> = {}) {
    this.fleet = new ScriptedFleet(ids);
    this.placer = new QueuedPlacer({
      fleet: this.fleet,
      memory: this.memory,
      clock: this.clock,
      log: silentLog(),
      options: { ...USUAL_OPTIONS, ...options },
    });
  }

  /** Ask a place for a build; it counts as load from the decision on. */
  ask(name: string, parts: Partial<PlacementRequest> = {}): AskedBuild {
    const ends: Cancel[] = [];
    const fairKey = parts.fairKey ?? parts.key ?? "client";
    const asked: AskedBuild = {
      name,
      told: [],
      signal: new AbortController(),
      outcome: undefined,
      replicaId: undefined,
      end: () => {
        for (const end of ends.splice(0)) end();
      },
    };
    const request: PlacementRequest = {
      purpose: "build",
      key: undefined,
      fairKey,
      excluded: new Map(),
      onChosen: (replicaId) => {
        asked.replicaId = replicaId;
        this.journal.push(`${name} → ${replicaId}`);
        if (request.purpose !== "build") return;
        ends.push(this.placer.buildStarted(fairKey));
        this.fleet.set(replicaId, { runningBuilds: this.fleet.running(replicaId) + 1 });
        ends.push(() => this.fleet.set(replicaId, { runningBuilds: this.fleet.running(replicaId) - 1 }));
      },
      onWaiting: (waiting) => asked.told.push(waiting),
      ...parts,
    };
    void this.placer.place(request, asked.signal.signal).then((outcome) => {
      asked.outcome = outcome;
    });
    return asked;
  }

  /** Ask for several builds of one key: `key 1`, `key 2`, … */
  askMany(key: string, count: number): AskedBuild[] {
    return Array.from({ length: count }, (_, i) => this.ask(`${key} ${i + 1}`, { key }));
  }

  /** Let rounds and promises have their turn. */
  async settled(): Promise<void> {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Move the clock, then let everything settle. */
  async pass(delayMs: number): Promise<void> {
    this.clock.advance(delayMs);
    await this.settled();
  }
}
