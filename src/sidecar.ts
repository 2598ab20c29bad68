import { AdminServer } from "./admin/admin-server.ts";
import { probeRoutes } from "./admin/probes.ts";
import { type Address, formatAddress } from "./base/address.ts";
import { blameSetting } from "./base/blame-setting.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { FollowedTls } from "./base/followed-tls.ts";
import type { Logger } from "./base/log.ts";
import type { SidecarConfig } from "./config/sidecar-schema.ts";
import { downstreamLimits } from "./configured-limits.ts";
import { connectionRoom } from "./dataplane/connection-room.ts";
import { Switch } from "./dataplane/switch.ts";
import type { Gateway } from "./gateway.ts";
import { Callers } from "./identity/callers.ts";
import { ClaimSource } from "./identity/claim-source.ts";
import { StraightRouter } from "./routing/straight-router.ts";

/** A call has no other gateway to go to: one that is being replaced is waited for. */
const REDIAL_MS = 10_000;

/**
 * Serve the clients beside it and pass every call on to one gateway, with who is
 * building.
 *
 * Rejects, with everything closed again, when an address cannot be listened on
 * or a file cannot be read.
 */
export async function startSidecar(config: SidecarConfig, log: Logger, clock: Clock = systemClock): Promise<Gateway> {
  const { upstream, upstreamTls, identity, limits } = config;
  if (upstream === undefined) throw new Error("upstream: no gateway given");
  const claims = new ClaimSource({
    claim: Object.fromEntries(identity.claims.map(({ name, text }) => [name, text])),
    path: identity.file,
    log,
  });
  const room = connectionRoom(limits.connections);
  const dataplane = new Switch({
    clock,
    log,
    limits: downstreamLimits(limits, 0),
    maxConnections: room,
    tlsMode: "off",
    tls: undefined,
    facadePaths: new Set(),
    callers: new Callers({ trust: [] }),
    claim: () => claims.text(),
    redialMs: REDIAL_MS,
    upstreamNoun: "gateway",
  });
  const { enabled, servername, ...files } = upstreamTls;
  const tls = enabled ? new FollowedTls({ section: "upstreamTls", files, servername, clock, log }) : undefined;
  const name = formatAddress(upstream);
  /** Each call that waits for it finds it out again, several times a second. */
  let isAway = false;
  const side = {
    router: new StraightRouter(name),
    log,
    replicaTls: tls,
    joinFacade: (duplex: { destroy(): void }) => duplex.destroy(),
    replicaAddress: () => upstream,
    cachedPong: () => undefined,
    onReplicaGoingAway: (gateway: string, reason: string) => log.info({ gateway, reason }, "gateway is going away"),
    onReplicaLost: (gateway: string, reason: string) => {
      log[isAway ? "debug" : "warn"]({ gateway, reason }, "gateway cannot be reached");
      isAway = true;
    },
    onReplicaReached: (gateway: string) => {
      if (isAway) log.info({ gateway }, "gateway is reached again");
      isAway = false;
    },
  };
  let isDraining = false;
  const routes = probeRoutes(() =>
    isDraining ? { t: "not_ready", reason: "draining" } : { t: "ready", note: `passing on to ${name}` },
  );
  const admin = new AdminServer({ routes, log });
  const stopFollowing = tls?.start();
  const stop = async (): Promise<void> => {
    isDraining = true;
    stopFollowing?.();
    dataplane.stop();
    await admin.close();
  };
  try {
    const { listen } = config.admin;
    const adminAddress = listen === "off" ? undefined : await blameSetting("admin.listen", () => admin.listen(listen));
    const listening: Address[] = [];
    for (const address of config.listen) {
      listening.push(await blameSetting("listen", () => dataplane.listen(address, () => side)));
    }
    return {
      listening,
      admin: adminAddress,
      drain: (delayMs) => {
        isDraining = true;
        return dataplane.goAway(delayMs, config.drain.grace);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
