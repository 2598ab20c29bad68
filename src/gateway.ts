import { Registry } from "prom-client";
import { AdminServer } from "./admin/admin-server.ts";
import { AdminToken } from "./admin/admin-token.ts";
import { BuildMetrics } from "./admin/build-metrics.ts";
import { addCertificateMetrics } from "./admin/certificate-metrics.ts";
import { drainRoutes } from "./admin/drain-routes.ts";
import { explainRoute } from "./admin/explain-route.ts";
import { healthRoute } from "./admin/health-route.ts";
import { loadRoute } from "./admin/load-route.ts";
import { metricsRoutes } from "./admin/metrics-route.ts";
import { probeRoutes } from "./admin/probes.ts";
import { readinessOf } from "./admin/readiness.ts";
import type { AdminRoutes } from "./admin/routes.ts";
import type { Address } from "./base/address.ts";
import { blameSetting } from "./base/blame-setting.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { GatewayError } from "./base/errors.ts";
import { FollowedTls } from "./base/followed-tls.ts";
import type { Logger } from "./base/log.ts";
import type { TlsFiles } from "./base/tls-files.ts";
import type { TlsMaterial } from "./base/tls-material.ts";
import { type Cluster, openCluster, replicaService } from "./cluster.ts";
import { type PoolConfig, poolsOf } from "./config/pools.ts";
import type { Config } from "./config/schema.ts";
import { policyOf } from "./configured-policy.ts";
import { FACADE_PATHS } from "./control/facade.ts";
import type { OnReadDoor } from "./dataplane/onread-door.ts";
import { type PoolChoice, Switch } from "./dataplane/switch.ts";
import { downstreamLimits } from "./downstream-limits.ts";
import { Callers } from "./identity/callers.ts";
import type { Policy } from "./identity/policy.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { CombinedDiscovery } from "./replicas/discovery/combined.ts";
import type { Discovery } from "./replicas/discovery/discovery.ts";
import { DnsDiscovery } from "./replicas/discovery/dns.ts";
import { KubernetesDiscovery } from "./replicas/discovery/kubernetes.ts";
import { StaticDiscovery } from "./replicas/discovery/static.ts";
import { weightOf } from "./routing/key-weights.ts";

/** A gateway that serves. */
export interface Gateway {
  /** Where clients connect, with real ports: the common addresses, then each pool's own. */
  readonly listening: readonly Address[];
  /** Where probes are answered, with its real port. */
  readonly admin: Address | undefined;
  /**
   * Go away: not ready at once, no new connection after `delayMs`. Resolves when
   * running builds have ended or the grace period is over.
   */
  drain(delayMs: number): Promise<void>;
  /** End at once. */
  stop(): Promise<void>;
}

/** Parts that may be replaced; each has its usual make. */
export interface GatewayParts {
  readonly clock?: Clock;
  readonly wrapPlacer?: PoolOptions["wrapPlacer"];
  readonly onReadDoor?: OnReadDoor;
}

/**
 * Wire the parts together and begin to serve. With `pool.ts`, the only place that does.
 *
 * Rejects, with everything closed again, when an address cannot be listened on
 * or a file cannot be read.
 */
export async function startGateway(config: Config, log: Logger, parts: GatewayParts = {}): Promise<Gateway> {
  const { clock = systemClock, onReadDoor } = parts;
  const { tls, replicaTls, limits } = config;
  const registry = new Registry();
  const builds = new BuildMetrics(registry, config.metrics.repositories);
  const follow = (section: string, files: TlsFiles, servername?: string) =>
    new FollowedTls({ section, files, servername, clock, log });
  const { clientCa, cert, key } = tls;
  const clientTls = tls.mode === "off" ? undefined : follow("tls", { clientCa, cert, key });
  const { enabled, servername, ...replicaFiles } = replicaTls;
  const upstreamTls = enabled ? follow("replicaTls", replicaFiles, servername) : undefined;
  const followed = [clientTls, upstreamTls].filter((one) => one !== undefined);
  addCertificateMetrics(registry, () => followed.flatMap(({ expiries }) => expiries));
  const policy = policyOf(config);
  const needsCluster = poolsOf(config).some(({ replicasService }) => replicasService.length > 0);
  const cluster = needsCluster ? await openCluster(config, clock) : undefined;
  const pools = makePools(config, clock, log, upstreamTls, policy, builds, cluster, parts);
  const dataplane = new Switch({
    clock,
    log,
    limits: downstreamLimits(limits),
    maxConnections: limits.connections,
    tlsMode: tls.mode,
    tls: clientTls,
    ...(onReadDoor && { onReadDoor }),
    facadePaths: FACADE_PATHS,
    callers: new Callers({ trust: config.identity.trust }),
    ...(policy && { policy }),
  });
  let isDraining = false;
  const admin = new AdminServer({
    routes: adminRoutes(config, clock, pools, dataplane, registry, () => isDraining),
    log,
  });
  const cancels = followed.map((one) => one.start());
  const stop = async (): Promise<void> => {
    isDraining = true;
    for (const cancel of cancels) cancel();
    dataplane.stop();
    await Promise.all([...pools.map(({ pool }) => pool.stop()), admin.close()]);
    cluster?.close();
  };
  try {
    const adminAddress = await listenAdmin(admin, config);
    const listening = await listenAll(dataplane, config, pools, policy);
    for (const { pool } of pools) pool.start();
    return {
      listening,
      admin: adminAddress,
      async drain(delayMs) {
        isDraining = true;
        for (const { pool } of pools) pool.drain();
        await dataplane.goAway(delayMs, config.drain.grace);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function adminRoutes(
  { admin, queue }: Config,
  clock: Clock,
  reachable: readonly ReachablePool[],
  dataplane: Switch,
  registry: Registry,
  isDraining: () => boolean,
): AdminRoutes {
  const pools = reachable.map(({ pool }) => pool);
  const readiness = () =>
    readinessOf(
      isDraining(),
      pools.map((pool) => ({
        name: pool.name,
        hasRoom: pool.hasRoom,
        queued: pool.placer.census().queued,
        queueBuilds: queue.builds,
      })),
    );
  const drainable = (pool: Pool) => ({
    name: pool.name,
    fleet: pool.fleet,
    isSettled: (replicaId: string) => pool.isSettled(replicaId) && !dataplane.isUsed(pool.side, replicaId),
  });
  const token = admin.tokenFile === undefined ? undefined : new AdminToken(admin.tokenFile);
  return {
    ...probeRoutes(readiness),
    ...metricsRoutes(registry),
    ...healthRoute(pools, readiness),
    ...loadRoute(pools),
    ...drainRoutes(pools.map(drainable), { clock, token }),
    ...explainRoute(pools),
  };
}

/** Open the admin port, unless it is off. A token that cannot be used is an error now, not at the first change. */
async function listenAdmin(server: AdminServer, { admin }: Config): Promise<Address | undefined> {
  const { listen, tokenFile } = admin;
  if (tokenFile !== undefined) await new AdminToken(tokenFile).read();
  return listen === "off" ? undefined : await blameSetting("admin.listen", () => server.listen(listen));
}

async function listenAll(
  dataplane: Switch,
  config: Config,
  pools: readonly ReachablePool[],
  policy: Policy | undefined,
): Promise<Address[]> {
  const listening: Address[] = [];
  const open = async (setting: string, addresses: readonly Address[], choose: PoolChoice) => {
    for (const address of addresses) {
      const allowed = allowedChoice(pools, policy, choose);
      listening.push(await blameSetting(setting, () => dataplane.listen(address, allowed)));
    }
  };
  await open("listen", config.listen, commonChoice(pools));
  for (const { pool, listen } of pools) await open(`pools.${pool.name}.listen`, listen, () => pool.side);
  return listening;
}

/** Leads clients to the pool that their policy rule sends them to, and from pools that it does not let them use. */
function allowedChoice(pools: readonly ReachablePool[], policy: Policy | undefined, usual: PoolChoice): PoolChoice {
  if (!policy) return usual;
  return (servername, caller) => {
    const rule = policy.ruleFor(caller);
    const sentTo = pools.find(({ pool }) => pool.name === rule?.pool);
    if (sentTo) return sentTo.pool.side;
    const chosen = usual(servername, caller);
    const name = pools.find(({ pool }) => pool.side === chosen)?.pool.name;
    if (name === undefined || rule?.pools === undefined || rule.pools.includes(name)) return chosen;
    const reason = `policy rule ${JSON.stringify(rule.name)} does not allow pool ${name}`;
    return new GatewayError("not_allowed", reason);
  };
}

/** A pool, and the ways that lead to it. */
interface ReachablePool extends Pick<PoolConfig, "listen" | "servernames"> {
  readonly pool: Pool;
}

function makePools(
  config: Config,
  clock: Clock,
  log: Logger,
  replicaTls: TlsMaterial | undefined,
  policy: Policy | undefined,
  builds: BuildMetrics,
  cluster: Cluster | undefined,
  { wrapPlacer }: GatewayParts,
): ReachablePool[] {
  const { health, affinity, placement, queue } = config;
  const configured = poolsOf(config);
  return configured.map((pool) => ({
    ...pool,
    pool: new Pool({
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
      ...(policy && { policy }),
      ...(cluster && config.kubernetes.deletionCost && { deletionCostServer: cluster.server }),
      onBuildEnded: ({ caller, reason = "none", ...build }) =>
        builds.ended({ ...build, pool: pool.name, reason, repository: caller.repository }),
      ...(wrapPlacer && { wrapPlacer }),
    }),
  }));
}

/** Leads clients of the common addresses to the pool that their TLS hello names, or to the only one there is. */
function commonChoice(pools: readonly ReachablePool[]): PoolChoice {
  const only = pools.length === 1 && pools[0]!.listen.length === 0 && pools[0]!.servernames.length === 0;
  if (only) return () => pools[0]!.pool.side;
  return (servername) => {
    const name = servername?.toLowerCase() ?? "";
    const parent = name.replace(/^[^.]*/, "*");
    const named = pools.find(({ servernames }) => servernames.includes(name));
    const found = named ?? pools.find(({ servernames }) => servernames.includes(parent));
    if (found) return found.pool.side;
    const asked = name === "" ? "the client asked for no name" : `none is called ${JSON.stringify(name)}`;
    return new GatewayError("invalid_request", `this address leads to pools by TLS server name: ${asked}`);
  };
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
