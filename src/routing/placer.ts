import { GatewayError } from "../base/errors.ts";
import type { Replica } from "../replicas/replica.ts";
import { type PlacementOptions, type PlacementReason, place } from "./placement.ts";

/** A build that wants a replica. */
export interface PlacementRequest {
  /** What its cache is known by; absent: anywhere. */
  readonly key: string | undefined;
  /** Replicas that could not be reached for this build. */
  readonly excluded: ReadonlySet<string>;
}

/** Where it may go, or why nowhere. */
export type PlacementOutcome =
  | { readonly t: "placed"; readonly replicaId: string; readonly reason: PlacementReason }
  | { readonly t: "refused"; readonly error: GatewayError };

/** Decides where builds run. It may take its time; `signal` says that nobody waits any more. */
export interface Placer {
  place(request: PlacementRequest, signal: AbortSignal): Promise<PlacementOutcome>;
}

/** What a placer needs to know of the fleet. */
export interface PlacerFleet {
  replicas(): readonly Replica[];
  describe(): string;
}

/** Places at once, or refuses where no replica takes builds. */
export class ImmediatePlacer implements Placer {
  readonly #fleet: PlacerFleet;
  readonly #options: PlacementOptions;

  constructor(fleet: PlacerFleet, options: PlacementOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  async place({ key, excluded }: PlacementRequest): Promise<PlacementOutcome> {
    const placement = place(key, this.#fleet.replicas(), excluded, this.#options);
    if (placement.t === "placed") return placement;
    return {
      t: "refused",
      error: new GatewayError("no_replica", `no replica takes builds: ${this.#fleet.describe()}`),
    };
  }
}
