import { GatewayError } from "../base/errors.ts";
import { acceptsBuilds, type Replica } from "../replicas/replica.ts";
import { type PlacementOptions, type PlacementReason, place } from "./placement.ts";

/** What wants a replica. */
export type PlacementPurpose =
  /** May be made to wait. */
  | "build"
  /** An internal Solve, by which a client learns what the daemon can do. A client's patience with it is shorter. */
  | "internal"
  /** A call of no build, such as the export of a trace: clients wait for it even after Ctrl-C, so it must not. */
  | "call";

/** What wants a replica, and what is known of it. */
export interface PlacementRequest {
  readonly purpose: PlacementPurpose;
  /** What its cache is known by; absent: anywhere. */
  readonly key: string | undefined;
  /** Replicas that could not be reached for this build, and why. */
  readonly excluded: ReadonlyMap<string, string>;
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
  /** Every replica and why it is out, for people. */
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
      error: new GatewayError("no_replica", `no replica takes builds: ${this.#whyNone(excluded)}`),
    };
  }

  /** Why each is out; one whose health checks succeed all the same is named with what this build met. */
  #whyNone(excluded: ReadonlyMap<string, string>): string {
    const unreached = this.#fleet
      .replicas()
      .filter((replica) => acceptsBuilds(replica) && excluded.has(replica.id))
      .map(({ id }) => `${id} (${excluded.get(id)})`);
    const known = this.#fleet.describe();
    return unreached.length === 0 ? known : `${known}; could not connect to ${unreached.join(", ")}`;
  }
}
