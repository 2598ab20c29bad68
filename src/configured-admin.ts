import type { Registry } from "prom-client";
import type { Activity } from "./admin/activity.ts";
import { AdminToken } from "./admin/admin-token.ts";
import { dashboardRoutes } from "./admin/dashboard-route.ts";
import { drainRoutes } from "./admin/drain-routes.ts";
import { StatusEvents } from "./admin/events-route.ts";
import { explainRoute } from "./admin/explain-route.ts";
import { gatewayStatus } from "./admin/gateway-status.ts";
import { healthRoute } from "./admin/health-route.ts";
import { loadRoute } from "./admin/load-route.ts";
import { type AdjustableLog, logRoute } from "./admin/log-route.ts";
import { metricsRoutes } from "./admin/metrics-route.ts";
import { probeRoutes } from "./admin/probes.ts";
import { readinessOf } from "./admin/readiness.ts";
import { replicaDebugRoute } from "./admin/replica-debug-route.ts";
import type { AdminRoutes } from "./admin/routes.ts";
import { statusRoute } from "./admin/status-route.ts";
import type { Clock } from "./base/clock.ts";
import type { CertificateExpiry } from "./base/followed-tls.ts";
import { programVersion } from "./base/program-version.ts";
import type { Config } from "./config/schema.ts";
import type { Switch } from "./dataplane/switch.ts";
import type { Pool } from "./pool.ts";

/** What the admin port tells of. */
export interface AdminSubjects {
  readonly clock: Clock;
  readonly log: AdjustableLog;
  readonly pools: readonly Pool[];
  readonly dataplane: Switch;
  readonly registry: Registry;
  readonly activity: Activity;
  readonly expiries: () => readonly CertificateExpiry[];
  readonly isDraining: () => boolean;
  /** Who builds is being asked for the first time. */
  readonly isIdentifying: () => boolean;
}

/** All that the admin port serves. */
export function adminRoutes({ admin, queue }: Config, subjects: AdminSubjects): AdminRoutes {
  const { clock, pools, dataplane, registry, activity, expiries, isDraining, isIdentifying } = subjects;
  const readiness = () =>
    readinessOf(
      isDraining(),
      pools.map((pool) => ({
        name: pool.name,
        hasRoom: pool.hasRoom,
        untold: pool.untold,
        queued: pool.placer.census().queued,
        queueBuilds: queue.builds,
      })),
      isIdentifying(),
    );
  const drainable = (pool: Pool) => ({
    name: pool.name,
    fleet: pool.fleet,
    isSettled: (replicaId: string) => pool.isSettled(replicaId) && !dataplane.isUsed(pool.side, replicaId),
  });
  const startedAt = clock.wallTime();
  const status = () =>
    gatewayStatus({
      version: programVersion(),
      startedAt,
      now: () => clock.wallTime(),
      nowMs: () => clock.nowMs(),
      readiness,
      pools,
      census: () => dataplane.census(),
      activity,
      expiries,
    });
  const token = admin.tokenFile === undefined ? undefined : new AdminToken(admin.tokenFile);
  return {
    ...probeRoutes(readiness),
    ...metricsRoutes({ registry, pools, replicaPort: admin.replicaDebugPort }),
    ...healthRoute({ version: programVersion(), pools, readiness, expiries, now: () => clock.wallTime() }),
    ...loadRoute(pools),
    ...statusRoute(status),
    ...new StatusEvents(status, clock).routes(),
    ...dashboardRoutes(),
    ...drainRoutes(pools.map(drainable), { clock, token }),
    ...explainRoute(pools),
    ...logRoute(subjects.log, token),
    ...replicaDebugRoute(pools, { port: admin.replicaDebugPort, withProfiles: admin.replicaProfiles }),
  };
}
