import { silentLog } from "../../../src/base/log.ts";
import { QueuedPlacer } from "../../../src/routing/queued-placer.ts";
import type { PlacerOptions } from "../../../src/routing/queued-placer-options.ts";
import { WarmMemory } from "../../../src/routing/warm-memory.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { EventClock } from "./event-clock.ts";
import type { Figures } from "./measurements.ts";
import {
  boundedRendezvousChoice,
  type ComparedPlacer,
  FirstComePlacer,
  RendezvousPlacer,
  randomChoice,
  roundRobinChoice,
} from "./other-placers.ts";
import type { PlannedBuild, ScenarioOptions } from "./scenario.ts";
import { World } from "./world.ts";

/** How long ours waits for a warm replica by default. */
export const PATIENCE_MS = 5_000;

/** The product's defaults (src/config). The load factor is also that of rendezvous with bounded load. */
const DEFAULTS = {
  loadFactor: 2,
  loadFloor: 4,
  patienceMs: PATIENCE_MS,
  queueBuilds: 1_000,
  queueTimeoutMs: 1_800_000,
  perKey: 0,
  weightOf: () => 1,
} as const satisfies Omit<PlacerOptions, "maxBuilds">;

const MEMORY = { lifetimeMs: 168 * 3_600_000, maxKeys: 100_000 };

export const OTHER_POLICIES = ["random", "round robin", "rendezvous", "rendezvous, bounded load"] as const;

export type OtherPolicy = (typeof OTHER_POLICIES)[number];

/** Let one of the policies that we compare with place all builds. */
export async function simulateOther(
  policy: OtherPolicy,
  scenario: ScenarioOptions,
  builds: readonly PlannedBuild[],
): Promise<Figures> {
  const clock = new EventClock();
  const world = new World(scenario, clock, () => undefined);
  const placer = otherPlacer(policy, world, scenario);
  world.run(builds, placer);
  while (clock.step(scenario.durationMs)) if (placer.isWaiting) placer.serve();
  return finished(world);
}

/** Let the gateway's own placer, memory and queue place all builds. */
export async function simulateOurs(
  scenario: ScenarioOptions,
  builds: readonly PlannedBuild[],
  changed: Partial<PlacerOptions> = {},
): Promise<Figures> {
  const clock = new EventClock();
  const memory = new WarmMemory({ clock, ...MEMORY });
  const world = new World(scenario, clock, (key, replicaId) => memory.built(key, replicaId, `daemon of ${replicaId}`));
  const options = { ...DEFAULTS, maxBuilds: scenario.maxBuilds, ...changed };
  const placer = new QueuedPlacer({ fleet: world, memory, clock, log: silentLog(), options });
  world.run(builds, placer);
  while (clock.step(scenario.durationMs)) if (placer.census().queued > 0) await turn();
  placer.stop();
  return finished(world);
}

/** Rounds and promises have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function finished(world: World): Promise<Figures> {
  await turn();
  return world.measurements.figures();
}

function otherPlacer(policy: OtherPolicy, world: World, { seed, maxBuilds }: ScenarioOptions): ComparedPlacer {
  const bounds = { maxBuilds, queueBuilds: DEFAULTS.queueBuilds };
  switch (policy) {
    case "random":
      return new FirstComePlacer(world, randomChoice(seededRandom(seed + 1)), bounds);
    case "round robin":
      return new FirstComePlacer(world, roundRobinChoice(), bounds);
    case "rendezvous":
      return new RendezvousPlacer(world, bounds);
    case "rendezvous, bounded load":
      return new FirstComePlacer(world, boundedRendezvousChoice(DEFAULTS.loadFactor), bounds);
  }
}
