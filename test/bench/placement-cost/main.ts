import type { Cancel } from "../../../src/base/clock.ts";
import { silentLog } from "../../../src/base/log.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import type { PlacementRequest } from "../../../src/routing/placer.ts";
import { QueuedPlacer } from "../../../src/routing/queued-placer.ts";
import { WarmMemory } from "../../../src/routing/warm-memory.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { spread } from "../statistics.ts";

const REPLICAS = 1_000;
const KEYS = 100_000;
const MAX_BUILDS = 8;
const DECISIONS = 2_000;
const ROUNDS = 15;

/** Replicas as a fleet shows them: a new list after each change. */
class ManyReplicas {
  readonly #replicas: Replica[];
  readonly #listeners = new Set<() => void>();

  constructor(runningBuilds: number) {
    this.#replicas = Array.from({ length: REPLICAS }, (_, i) => ({
      id: `buildkit-7f9c8d6b5-${i.toString(36).padStart(5, "0")}`,
      address: { t: "tcp", host: "10.0.0.1", port: 1234 },
      state: { t: "ready", sinceMs: 0 },
      identity: `daemon-${i}`,
      runningBuilds,
      unconfirmedBuilds: 0,
    }));
  }

  replicas(): readonly Replica[] {
    return this.#replicas;
  }

  describe(): string {
    return `${REPLICAS} replicas`;
  }

  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Set the load of one replica, and say so. */
  set(index: number, runningBuilds: number): void {
    this.#replicas[index] = { ...this.#replicas[index]!, runningBuilds };
    for (const listener of this.#listeners) listener();
  }
}

function rig(runningBuilds: number, { queueBuilds = 1_000, places = 1 } = {}) {
  const clock = new FakeClock();
  const fleet = new ManyReplicas(runningBuilds);
  const memory = new WarmMemory({ clock, lifetimeMs: 1_000_000, maxKeys: KEYS });
  for (let i = 0; i < KEYS; i++) {
    for (let place = 0; place < places; place++) {
      const { id, identity } = fleet.replicas()[(i * 7_919 + place * 101) % REPLICAS]!;
      memory.built(`github.com/acme/app-${i}`, id, identity);
    }
  }
  const options = {
    loadFactor: 2,
    loadFloor: 4,
    maxBuilds: MAX_BUILDS,
    patienceMs: 0,
    queueBuilds,
    queueTimeoutMs: 1_800_000,
    perKey: 0,
    weightOf: () => 1,
  };
  const placer = new QueuedPlacer({ fleet, memory, clock, log: silentLog(), options });
  return { clock, fleet, placer };
}

function request(key: string): PlacementRequest {
  return {
    purpose: "build",
    key,
    fairKey: key,
    excluded: new Map(),
    onChosen: () => undefined,
    onWaiting: () => undefined,
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Microseconds, each the median of the rounds. On a busy machine the wall clock counts what others do as well. */
interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}

/** Takes the time of something, again and again. */
class Stopwatch {
  readonly #cpuUs: number[] = [];
  readonly #wallUs: number[] = [];
  #cpu = process.cpuUsage();
  #wallMs = performance.now();

  start(): void {
    this.#cpu = process.cpuUsage();
    this.#wallMs = performance.now();
  }

  /** One round is over, in which it was done so many times. */
  stop(times: number): void {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#wallUs.push(((performance.now() - this.#wallMs) * 1_000) / times);
    this.#cpuUs.push((user + system) / times);
  }

  get cost(): Cost {
    return { cpuUs: spread(this.#cpuUs)!.median, wallUs: spread(this.#wallUs)!.median };
  }
}

/** What one decision on an arrival costs; builds are not counted as load. */
async function arrivals(placer: QueuedPlacer, keyOf: (index: number) => string): Promise<Cost> {
  const signal = new AbortController().signal;
  const watch = new Stopwatch();
  for (let round = 0; round < ROUNDS; round++) {
    const requests = Array.from({ length: DECISIONS }, (_, i) => request(keyOf(i + round * DECISIONS)));
    watch.start();
    for (const each of requests) void placer.place(each, signal);
    watch.stop(DECISIONS);
    await turn();
  }
  return watch.cost;
}

/** What a change of load costs, to the end of the round that it makes, with a full queue. */
async function fullFleet(roomComesFree: boolean): Promise<Cost> {
  const { fleet, placer } = rig(MAX_BUILDS);
  let next = 0;
  const ask = (): void => {
    const index = next++;
    const chosen = (id: string): void =>
      fleet.set(
        fleet.replicas().findIndex((replica) => replica.id === id),
        MAX_BUILDS,
      );
    void placer.place({ ...request(`github.com/acme/app-${index}`), onChosen: chosen }, new AbortController().signal);
  };
  for (let i = 0; i < 1_000; i++) ask();
  await turn();
  const watch = new Stopwatch();
  for (let round = 0; round < 200; round++) {
    watch.start();
    fleet.set(round, roomComesFree ? MAX_BUILDS - 1 : MAX_BUILDS);
    await turn();
    watch.stop(1);
    if (roomComesFree) ask();
    await turn();
  }
  placer.stop();
  return watch.cost;
}

const known = (i: number): string => `github.com/acme/app-${(i * 31) % KEYS}`;
const unknown = (i: number): string => `github.com/other/app-${i}`;
const decisions: Record<string, Cost> = {
  warm: await arrivals(rig(3).placer, known),
  "cold: first of its order": await arrivals(rig(3).placer, unknown),
  "warm in ten places": await arrivals(rig(3, { places: 10 }).placer, known),
  "spilled: its warm replica is full": await arrivals(spilling(1), known),
  "spilled: its ten warm replicas are full": await arrivals(spilling(10), known),
  "all full, the queue is full: refused": await arrivals(rig(MAX_BUILDS, { queueBuilds: 0 }).placer, known),
};
const events: Record<string, Cost> = {
  "a load changes, no room, 1,000 waiting": await fullFleet(false),
  "a place comes free, one of 1,000 waiting gets it": await fullFleet(true),
};

/** Every replica but a few is full. */
function spilling(places: number): QueuedPlacer {
  const { fleet, placer } = rig(MAX_BUILDS, { places });
  for (let i = 0; i < 10; i++) fleet.set(i * 97, 2);
  return placer;
}

function renderTable(name: string, costs: Record<string, Cost>): string {
  const rows = Object.entries(costs).map(([what, { cpuUs, wallUs }]) => [what, cpuUs.toFixed(1), wallUs.toFixed(1)]);
  return [[name, "CPU µs", "wall µs"], ["---", "---:", "---:"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ replicas: REPLICAS, keys: KEYS, decisions, events }));
} else {
  const rounds = `medians of ${ROUNDS} rounds of ${DECISIONS} decisions`;
  console.log(`${REPLICAS} replicas, ${KEYS} remembered keys, Node ${process.versions.node}, ${rounds}\n`);
  console.log(`${renderTable("decision", decisions)}\n\n${renderTable("event", events)}`);
}
