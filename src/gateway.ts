import { Activity } from "./admin/activity.ts";
import { AdminServer } from "./admin/admin-server.ts";
import { AdminToken } from "./admin/admin-token.ts";
import type { Address } from "./base/address.ts";
import { blameSetting } from "./base/blame-setting.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { FollowedTls } from "./base/followed-tls.ts";
import { type Logger, setLogLevel } from "./base/log.ts";
import type { TlsFiles } from "./base/tls-files.ts";
import { clientAddresses } from "./config/client-addresses.ts";
import { poolsOf } from "./config/pools.ts";
import type { Config } from "./config/schema.ts";
import { adminRoutes } from "./configured-admin.ts";
import { openCluster } from "./configured-cluster.ts";
import { downstreamLimits } from "./configured-limits.ts";
import { makeMetrics } from "./configured-metrics.ts";
import { policyOf } from "./configured-policy.ts";
import { makePools, type ReachablePool } from "./configured-pools.ts";
import { openTraces } from "./configured-traces.ts";
import { FACADE_PATHS } from "./control/facade.ts";
import { connectionRoom } from "./dataplane/connection-room.ts";
import type { OnReadDoor } from "./dataplane/onread-door.ts";
import { Switch, type TakeClient } from "./dataplane/switch.ts";
import { Callers } from "./identity/callers.ts";
import { ClusterPods } from "./identity/pod-directory.ts";
import type { Policy } from "./identity/policy.ts";
import type { PoolOptions } from "./pool.ts";
import { allowedChoice, commonChoice } from "./pool-choice.ts";

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
  /**
   * Given: it listens for no clients itself. Called for each of `clientAddresses`, by its index, with what takes the
   * connections that others have accepted there.
   */
  readonly openWay?: (index: number, take: TakeClient) => void;
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
  const follow = (section: string, files: TlsFiles, servername?: string) =>
    new FollowedTls({ section, files, servername, clock, log });
  const { clientCa, cert, key } = tls;
  const clientTls = tls.mode === "off" ? undefined : follow("tls", { clientCa, cert, key });
  const { enabled, servername, ...replicaFiles } = replicaTls;
  const upstreamTls = enabled ? follow("replicaTls", replicaFiles, servername) : undefined;
  const followed = [clientTls, upstreamTls].filter((one) => one !== undefined);
  const expiries = () => followed.flatMap((one) => one.expiries);
  const { registry, builds, checks, rpcs } = makeMetrics(config, {
    pools: () => pools.map(({ pool }) => pool),
    census: () => dataplane.census(),
    expiries,
    spans: () => traces?.census(),
  });
  const traces = await openTraces(config, clock, log);
  const activity = new Activity(clock);
  const policy = policyOf(config);
  const { trust, pods: podSettings } = config.identity;
  const asksForPods = podSettings.namespaces.length > 0;
  const needsCluster = asksForPods || poolsOf(config).some(({ replicasService }) => replicasService.length > 0);
  const cluster = needsCluster ? await openCluster(config, clock) : undefined;
  const pools = makePools(config, {
    clock,
    log,
    replicaTls: upstreamTls,
    policy,
    builds,
    checks,
    activity,
    traces,
    cluster,
    wrapPlacer: parts.wrapPlacer,
  });
  const { runners: withRunners, ...podsOf } = podSettings;
  const pods =
    cluster && asksForPods ? new ClusterPods({ ...podsOf, withRunners, server: cluster.server, log }) : undefined;
  const room = connectionRoom(limits.connections);
  if (room < limits.connections) log.info({ connections: room }, "fewer connections than configured: open files");
  const dataplane = new Switch({
    clock,
    log,
    limits: downstreamLimits(limits, config.health.frozenAfter),
    maxConnections: room,
    tlsMode: tls.mode,
    tls: clientTls,
    ...(onReadDoor && { onReadDoor }),
    facadePaths: FACADE_PATHS,
    callers: new Callers({ trust, pods }),
    ...(policy && { policy }),
    onCallEnded: (path, end, durationMs) => rpcs.ended(path, end, durationMs),
  });
  let isDraining = false;
  const admin = new AdminServer({
    routes: adminRoutes(config, {
      clock,
      log: { level: () => log.level, setLevel: (level) => setLogLevel(log, level) },
      pools: pools.map(({ pool }) => pool),
      dataplane,
      registry,
      activity,
      expiries,
      isDraining: () => isDraining,
      isIdentifying: () => pods?.isSyncing === true,
    }),
    log,
  });
  const cancels = followed.map((one) => one.start());
  const stop = async (): Promise<void> => {
    isDraining = true;
    for (const cancel of cancels) cancel();
    dataplane.stop();
    await Promise.all([...pools.map(({ pool }) => pool.stop()), admin.close()]);
    pods?.stop();
    cluster?.close();
    await traces?.close();
  };
  try {
    const adminAddress = await listenAdmin(admin, config);
    const listening = await listenAll(dataplane, config, pools, policy, parts.openWay);
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
  openWay: GatewayParts["openWay"],
): Promise<Address[]> {
  const listening: Address[] = [];
  for (const [index, { setting, address, pool: name }] of clientAddresses(config).entries()) {
    const own = pools.find(({ pool }) => pool.name === name)?.pool.side;
    const allowed = allowedChoice(pools, policy, own ? () => own : commonChoice(pools));
    if (openWay) {
      openWay(index, dataplane.takeClients(allowed));
      listening.push(address);
    } else listening.push(await blameSetting(setting, () => dataplane.listen(address, allowed)));
  }
  return listening;
}
