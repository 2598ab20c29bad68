import { AdminServer } from "./admin/admin-server.ts";
import { probeRoutes, type Readiness } from "./admin/probes.ts";
import type { Address } from "./base/address.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import type { Logger } from "./base/log.ts";
import { readTlsFiles } from "./base/tls-files.ts";
import type { Config } from "./config/schema.ts";
import { FACADE_PATHS, Facade } from "./control/facade.ts";
import type { DownstreamLimits } from "./dataplane/downstream-connection.ts";
import type { OnReadDoor } from "./dataplane/onread-door.ts";
import { Switch } from "./dataplane/switch.ts";
import { CombinedDiscovery } from "./replicas/discovery/combined.ts";
import type { Discovery } from "./replicas/discovery/discovery.ts";
import { DnsDiscovery } from "./replicas/discovery/dns.ts";
import { StaticDiscovery } from "./replicas/discovery/static.ts";
import { Fleet } from "./replicas/fleet.ts";
import { acceptsBuilds } from "./replicas/replica.ts";
import { BuildGroups } from "./routing/build-groups.ts";
import { ImmediatePlacer, type Placer } from "./routing/placer.ts";

/** A gateway that serves. */
export interface Gateway {
  /** Where clients connect, with real ports. */
  readonly listening: readonly Address[];
  /** Where probes are answered, with its real port. */
  readonly admin: Address | undefined;
  /** Accept no new connection; resolves when running builds have ended or the grace period is over. */
  drain(): Promise<void>;
  /** End at once. */
  stop(): Promise<void>;
}

/** Parts that may be replaced; each has its usual make. */
export interface GatewayParts {
  readonly clock?: Clock;
  readonly makePlacer?: (fleet: Fleet) => Placer;
  readonly onReadDoor?: OnReadDoor;
}

/** How long the owner of a build is asked for before its Status waits for a Solve alone. */
const LOCATE_TIMEOUT_MS = 2_000;

/**
 * Wire the parts together and begin to serve. The only place that does.
 *
 * Rejects, with everything closed again, when an address cannot be listened on
 * or a file cannot be read.
 */
export async function startGateway(config: Config, log: Logger, parts: GatewayParts = {}): Promise<Gateway> {
  const { clock = systemClock, onReadDoor } = parts;
  const makePlacer = parts.makePlacer ?? ((fleet) => new ImmediatePlacer(fleet, config.placement));
  const { tls, replicaTls, limits, health } = config;
  const upstreamTls = replicaTls.enabled
    ? readTlsFiles(
        "replicaTls",
        { ca: replicaTls.ca, cert: replicaTls.cert, key: replicaTls.key },
        replicaTls.servername,
      )
    : undefined;
  const fleet = new Fleet({
    discovery: makeDiscovery(config, clock, log),
    clock,
    log,
    health: { intervalMs: health.interval, timeoutMs: health.timeout, failuresToEject: health.failures },
    ...(upstreamTls && { tls: upstreamTls }),
  });
  const facade = new Facade({
    fleet,
    log,
    acceptance: {
      acceptsBuilds: () => fleet.replicas().some(acceptsBuilds),
      onChange: (listener) => fleet.onChange(listener),
    },
  });
  const groups = new BuildGroups({
    placer: makePlacer(fleet),
    fleet: {
      buildStarted: (id) => fleet.buildStarted(id),
      reportFailure: (id, reason) => fleet.reportFailure(id, reason),
      locateBuild: (buildRef) => fleet.locateBuild(buildRef, LOCATE_TIMEOUT_MS),
    },
    clock,
    log,
    keySources: config.placement.affinity,
  });
  const dataplane = new Switch({
    clock,
    log,
    groups,
    limits: downstreamLimits(config),
    maxConnections: limits.connections,
    tlsMode: tls.mode,
    tls: tls.mode === "off" ? undefined : readTlsFiles("tls", { ca: tls.clientCa, cert: tls.cert, key: tls.key }),
    replicaTls: upstreamTls,
    ...(onReadDoor && { onReadDoor }),
    facadePaths: FACADE_PATHS,
    joinFacade: (duplex) => facade.inject(duplex),
    replicaAddress: (id) => fleet.replica(id)?.address,
    cachedPong: () => fleet.representative()?.pongBytes,
    onReplicaGoingAway: (id, reason) => fleet.reportDraining(id, reason),
    onReplicaLost: (id, reason) => fleet.reportFailure(id, reason),
  });
  let isDraining = false;
  const readiness = (): Readiness => {
    if (isDraining) return { t: "not_ready", reason: "draining" };
    return fleet.replicas().some(acceptsBuilds) ? { t: "ready" } : { t: "not_ready", reason: fleet.describe() };
  };
  const admin = new AdminServer({ routes: probeRoutes(readiness), log });
  const stop = async (): Promise<void> => {
    isDraining = true;
    dataplane.stop();
    fleet.stop();
    await Promise.all([facade.stop(), admin.close()]);
  };
  try {
    const adminAddress = config.admin.listen === "off" ? undefined : await admin.listen(config.admin.listen);
    const listening: Address[] = [];
    for (const address of config.listen) listening.push(await dataplane.listen(address));
    fleet.start();
    return {
      listening,
      admin: adminAddress,
      async drain() {
        isDraining = true;
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

function makeDiscovery({ replicas, replicasDns }: Config, clock: Clock, log: Logger): Discovery {
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
