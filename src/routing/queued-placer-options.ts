import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Replica } from "../replicas/replica.ts";
import type { PlacementOptions } from "./placement.ts";
import type { WarmMemory } from "./warm-memory.ts";

/** What a placer needs of the fleet. */
export interface PlacerFleet {
  /** In the order of their ids. Asked for at every decision: cheap. */
  replicas(): readonly Replica[];
  /** Every replica and why it is out, for people. */
  describe(): string;
  /** Hear when the state or the load of a replica has changed. */
  onChange(listener: () => void): Cancel;
}

/** How builds are placed and made to wait. */
export interface PlacerOptions extends PlacementOptions {
  /** How long a build waits for its warm replica while others have room. 0: not at all. */
  readonly patienceMs: number;
  /** Builds that may wait at once; one more is refused. */
  readonly queueBuilds: number;
  /** How long a build may wait. */
  readonly queueTimeoutMs: number;
  /** Builds of one fair key that may run at once. 0: any number. */
  readonly perKey: number;
  /** The share of a fair key, above 0; 1 is the usual one. */
  readonly weightOf: (fairKey: string) => number;
}

/** What a placer is made of. */
export interface QueuedPlacerParts {
  readonly fleet: PlacerFleet;
  readonly memory: WarmMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: PlacerOptions;
}
