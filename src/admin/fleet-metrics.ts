import { Gauge, Histogram, type Registry } from "prom-client";
import type { DiscoveryStatus } from "../replicas/discovery/discovery.ts";
import type { Replica } from "../replicas/replica.ts";
import type { PoolLoad } from "./load-route.ts";

/** A pool that is watched. */
export interface MeasuredPool {
  readonly name: string;
  readonly fleet: {
    replicas(): readonly Replica[];
    discovery(): readonly DiscoveryStatus[];
  };
  load(): PoolLoad;
}

/** States of a replica that is in a fleet. */
const STATES = [
  "connecting",
  "ready",
  "ejected",
  "draining",
  "gone",
] as const satisfies readonly Replica["state"]["t"][];

/** Tell Prometheus of replicas, the queue and discovery. The pools are asked when it asks. */
export function addFleetMetrics(registry: Registry, pools: () => readonly MeasuredPool[]): void {
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: (pool: MeasuredPool, set: (labels: Partial<Record<Label, string>>, value: number) => void) => void,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const pool of pools()) read(pool, (labels, value) => this.set(labels, value));
      },
    });
  gauge("bkgw_queued_builds", "Builds that wait for a replica.", ["pool"], (pool, set) =>
    set({ pool: pool.name }, pool.load().queued),
  );
  gauge("bkgw_ready_replicas", "Replicas that take builds.", ["pool"], (pool, set) =>
    set({ pool: pool.name }, pool.load().readyReplicas),
  );
  gauge(
    "bkgw_build_capacity",
    "Builds that the ready replicas run at once; absent where that has no limit.",
    ["pool"],
    (pool, set) => {
      const { readyReplicas, maxBuilds } = pool.load();
      if (maxBuilds > 0) set({ pool: pool.name }, readyReplicas * maxBuilds);
    },
  );
  gauge(
    "bkgw_replica_state",
    "1 for the state that a replica is in, 0 for the others.",
    ["pool", "replica", "state"],
    ({ name, fleet }, set) => {
      for (const { id, state } of fleet.replicas()) {
        for (const one of STATES) set({ pool: name, replica: id, state: one }, state.t === one ? 1 : 0);
      }
    },
  );
  gauge(
    "bkgw_replica_running_builds",
    "Builds that run on a replica, whoever started them.",
    ["pool", "replica"],
    ({ name, fleet }, set) => {
      for (const { id, runningBuilds } of fleet.replicas()) set({ pool: name, replica: id }, runningBuilds);
    },
  );
  gauge(
    "bkgw_discovery_stale",
    "1 where it is not known which replicas there are, or no longer; else 0.",
    ["pool", "source"],
    ({ name, fleet }, set) => {
      for (const { source, state } of fleet.discovery()) set({ pool: name, source }, state === "live" ? 0 : 1);
    },
  );
  gauge(
    "bkgw_discovery_age_seconds",
    "Time since it was last heard which replicas there are, where that changes.",
    ["pool", "source"],
    ({ name, fleet }, set) => {
      for (const { source, ageMs } of fleet.discovery()) {
        if (ageMs !== undefined) set({ pool: name, source }, ageMs / 1_000);
      }
    },
  );
}

/** Tells Prometheus how long checks of replicas take. */
export class CheckMetrics {
  readonly #checks: Histogram<"pool" | "result">;

  constructor(registry: Registry) {
    this.#checks = new Histogram({
      name: "bkgw_replica_check_seconds",
      help: "Time that checks of replicas took, by whether they were well.",
      labelNames: ["pool", "result"],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2, 5],
      registers: [registry],
    });
  }

  checked(pool: string, durationMs: number, isWell: boolean): void {
    this.#checks.observe({ pool, result: isWell ? "ok" : "failed" }, durationMs / 1_000);
  }
}
