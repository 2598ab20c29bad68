import { AdminServer } from "./admin/admin-server.ts";
import { AdminToken } from "./admin/admin-token.ts";
import { drainRoutes } from "./admin/drain-routes.ts";
import { explainRoute } from "./admin/explain-route.ts";
import { loadRoute } from "./admin/load-route.ts";
import { probeRoutes } from "./admin/probes.ts";
import { readinessOf } from "./admin/readiness.ts";
import type { AdminRoutes } from "./admin/routes.ts";
import type { Address } from "./base/address.ts";
import { blameSetting } from "./base/blame-setting.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { GatewayError } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import { programVersion } from "./base/program-version.ts";
import { readTlsFiles } from "./base/tls-files.ts";
import { type PoolConfig, poolsOf } from "./config/pools.ts";
import type { Config } from "./config/schema.ts";
import { FACADE_PATHS } from "./control/facade.ts";
import type { DownstreamLimits } from "./dataplane/downstream-connection.ts";
import type { OnReadDoor } from "./dataplane/onread-door.ts";
import { type PoolChoice, Switch } from "./dataplane/switch.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { CombinedDiscovery } from "./replicas/discovery/combined.ts";
import type { Discovery } from "./replicas/discovery/discovery.ts";
import { DnsDiscovery } from "./replicas/discovery/dns.ts";
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
  const { tls, limits } = config;
  const pools = makePools(config, clock, log, parts);
  const dataplane = new Switch({
    clock,
    log,
    limits: downstreamLimits(config),
    maxConnections: limits.connections,
    tlsMode: tls.mode,
    tls: tls.mode === "off" ? undefined : readTlsFiles("tls", { clientCa: tls.clientCa, cert: tls.cert, key: tls.key }),
    ...(onReadDoor && { onReadDoor }),
    facadePaths: FACADE_PATHS,
  });
  let isDraining = false;
  const admin = new AdminServer({ routes: adminRoutes(config, clock, pools, dataplane, () => isDraining), log });
  const stop = async (): Promise<void> => {
    isDraining = true;
    dataplane.stop();
    await Promise.all([...pools.map(({ pool }) => pool.stop()), admin.close()]);
  };
  try {
    const adminAddress = await listenAdmin(admin, config);
    const listening = await listenAll(dataplane, config, pools);
    for (const { pool } of pools) pool.start();
    return {
      listening,
      admin: adminAddress,
      async drain(delayMs) {
        isDraining = true;
        for (const { pool } of pools) pool.drain();
        await elapsed(clock, delayMs);
        const overdue = new AbortController();
        const cancel = clock.after(config.drain.grace, () => overdue.abort());
        await dataplane.drain(overdue.signal);
        cancel();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function elapsed(clock: Clock, durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(durationMs, resolve);
  });
}

function adminRoutes(
  { admin, queue }: Config,
  clock: Clock,
  reachable: readonly ReachablePool[],
  dataplane: Switch,
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

async function listenAll(dataplane: Switch, config: Config, pools: readonly ReachablePool[]): Promise<Address[]> {
  const listening: Address[] = [];
  const open = async (setting: string, addresses: readonly Address[], choose: PoolChoice) => {
    for (const address of addresses) {
      listening.push(await blameSetting(setting, () => dataplane.listen(address, choose)));
    }
  };
  await open("listen", config.listen, commonChoice(pools));
  for (const { pool, listen } of pools) await open(`pools.${pool.name}.listen`, listen, () => pool.side);
  return listening;
}

/** A pool, and the ways that lead to it. */
interface ReachablePool extends Pick<PoolConfig, "listen" | "servernames"> {
  readonly pool: Pool;
}

function makePools(config: Config, clock: Clock, log: Logger, { wrapPlacer }: GatewayParts): ReachablePool[] {
  const { replicaTls, health, affinity, placement, queue, control } = config;
  const material = replicaTls.enabled
    ? readTlsFiles(
        "replicaTls",
        { ca: replicaTls.ca, cert: replicaTls.cert, key: replicaTls.key },
        replicaTls.servername,
      )
    : undefined;
  const configured = poolsOf(config);
  return configured.map((pool) => ({
    ...pool,
    pool: new Pool({
      name: pool.name,
      discovery: makeDiscovery(pool, clock, log),
      clock,
      log: configured.length > 1 ? log.child({ pool: pool.name }) : log,
      health: { intervalMs: health.interval, timeoutMs: health.timeout, failuresToEject: health.failures },
      replicaTls: material,
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

function makeDiscovery({ replicas, replicasDns }: PoolConfig, clock: Clock, log: Logger): Discovery {
  const endpoints = replicas.map(({ name, address }) => ({ id: name, address, isTerminating: false }));
  const discoveries: Discovery[] = [new StaticDiscovery(endpoints)];
  for (const { name, port } of replicasDns) {
    discoveries.push(new DnsDiscovery({ name, ...(port !== undefined && { port }), clock, log }));
  }
  return new CombinedDiscovery(discoveries);
}

function downstreamLimits({ limits }: Config): DownstreamLimits {
  const shared = {
    controlFramesPerSecond: limits.controlFramesPerSecond,
    resetsPerSecond: limits.resetsPerSecond,
    streams: limits.streams === 0 ? Number.POSITIVE_INFINITY : limits.streams,
    backlogBytes: limits.backlogBytes,
  };
  return {
    client: { ...shared, headerListBytes: limits.headerListBytes },
    replica: { ...shared, headerListBytes: limits.replicaHeaderListBytes },
    solveBytes: limits.solveBytes,
    heldBytes: limits.heldBytes,
    heldStreams: limits.heldStreams,
    connectTimeoutMs: limits.connectTimeout,
    handshakeTimeoutMs: limits.handshakeTimeout,
  };
}
