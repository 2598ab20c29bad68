import type { Activity } from "./admin/activity.ts";
import type { BuildMetrics } from "./admin/build-metrics.ts";
import type { CheckMetrics } from "./admin/fleet-metrics.ts";
import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/log.ts";
import { programVersion } from "./base/program-version.ts";
import type { TlsMaterial } from "./base/tls-material.ts";
import { type PoolConfig, poolsOf } from "./config/pools.ts";
import type { Config } from "./config/schema.ts";
import { type Cluster, replicaService } from "./configured-cluster.ts";
import type { Policy } from "./identity/policy.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { CombinedDiscovery } from "./replicas/discovery/combined.ts";
import type { Discovery } from "./replicas/discovery/discovery.ts";
import { DnsDiscovery } from "./replicas/discovery/dns.ts";
import { KubernetesDiscovery } from "./replicas/discovery/kubernetes.ts";
import { StaticDiscovery } from "./replicas/discovery/static.ts";
import { weightOf } from "./routing/key-weights.ts";
import type { Traces } from "./traces/traces.ts";

/** A pool, and the ways that lead to it. */
export interface ReachablePool extends Pick<PoolConfig, "listen" | "servernames"> {
  readonly pool: Pool;
}

/** What all pools of a gateway have in common. */
export interface PoolSurroundings {
  readonly clock: Clock;
  readonly log: Logger;
  /** How to speak to replicas; undefined: in the clear. */
  readonly replicaTls: TlsMaterial | undefined;
  readonly policy: Policy | undefined;
  readonly builds: BuildMetrics;
  readonly checks: CheckMetrics;
  readonly activity: Activity;
  /** Follows builds; undefined: nobody does. */
  readonly traces: Traces | undefined;
  /** Where Services are looked up; needed where one is configured. */
  readonly cluster: Cluster | undefined;
  readonly wrapPlacer?: PoolOptions["wrapPlacer"] | undefined;
}

/** Make the pools of a configuration. None is started. */
export function makePools(config: Config, surroundings: PoolSurroundings): ReachablePool[] {
  const { clock, log, replicaTls, policy, builds, checks, activity, traces, cluster, wrapPlacer } = surroundings;
  const { health, affinity, placement, queue, control } = config;
  const configured = poolsOf(config);
  return configured.map((pool) => {
    builds.expect(pool.name);
    const made: Pool = new Pool({
      name: pool.name,
      discovery: makeDiscovery(pool, clock, log, cluster),
      clock,
      log: configured.length > 1 ? log.child({ pool: pool.name }) : log,
      health: { intervalMs: health.interval, timeoutMs: health.timeout, failuresToEject: health.failures },
      replicaTls,
      platforms: pool.platforms,
      keySources: affinity.keys,
      memory: { lifetimeMs: affinity.lifetime, maxKeys: affinity.entries },
      placement: {
        ...placement,
        maxBuilds: pool.maxBuilds,
        patienceMs: affinity.patience,
        queueBuilds: queue.builds,
        queueTimeoutMs: queue.timeout,
        perKey: queue.perKey,
        weightOf: weightOf(queue.weights),
      },
      progress: queue.progress,
      control: {
        timeoutMs: control.timeout,
        slowTimeoutMs: control.slowTimeout,
        incomplete: control.incomplete,
        version: programVersion(),
      },
      ...(policy && { policy }),
      ...(cluster && config.kubernetes.deletionCost && { deletionCostServer: cluster.server }),
      onChecked: (durationMs, isWell) => checks.checked(pool.name, durationMs, isWell),
      onBuildMoved: (build) => {
        const { buildRef, replicaId } = build;
        const steps = () => (replicaId === undefined ? undefined : made.stepsOf(buildRef, replicaId));
        activity.moved(pool.name, { ...build, steps });
      },
      onBuildEnded: (build) => {
        const { caller, reason = "none" } = build;
        builds.ended({ ...build, pool: pool.name, reason, repository: caller.repository });
        activity.ended(pool.name, build);
      },
      ...(traces && { observeBuild: traces.observerOf({ name: pool.name, replicas: () => made.fleet.replicas() }) }),
      ...(wrapPlacer && { wrapPlacer }),
    });
    return { ...pool, pool: made };
  });
}

function makeDiscovery(
  { replicas, replicasDns, replicasService }: PoolConfig,
  clock: Clock,
  log: Logger,
  cluster: Cluster | undefined,
): Discovery {
  const endpoints = replicas.map(({ name, address }) => ({ id: name, address, isTerminating: false }));
  const discoveries: Discovery[] = [new StaticDiscovery(endpoints)];
  for (const { name, port } of replicasDns) {
    discoveries.push(new DnsDiscovery({ name, ...(port !== undefined && { port }), clock, log }));
  }
  if (cluster && replicasService.length > 0) {
    const services = replicasService.map((service) => replicaService(service, cluster));
    discoveries.push(new KubernetesDiscovery({ server: cluster.server, services, log }));
  }
  return new CombinedDiscovery(discoveries);
}
