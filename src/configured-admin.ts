import type { Registry } from "prom-client";
import { AdminToken } from "./admin/admin-token.ts";
import { drainRoutes } from "./admin/drain-routes.ts";
import { explainRoute } from "./admin/explain-route.ts";
import { healthRoute } from "./admin/health-route.ts";
import { loadRoute } from "./admin/load-route.ts";
import { metricsRoutes } from "./admin/metrics-route.ts";
import { probeRoutes } from "./admin/probes.ts";
import { readinessOf } from "./admin/readiness.ts";
import type { AdminRoutes } from "./admin/routes.ts";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./config/schema.ts";
import type { Switch } from "./dataplane/switch.ts";
import type { Pool } from "./pool.ts";

/** What the admin port tells of. */
export interface AdminSubjects {
  readonly clock: Clock;
  readonly pools: readonly Pool[];
  readonly dataplane: Switch;
  readonly registry: Registry;
  readonly isDraining: () => boolean;
}

/** All that the admin port serves. */
export function adminRoutes({ admin, queue }: Config, subjects: AdminSubjects): AdminRoutes {
  const { clock, pools, dataplane, registry, isDraining } = subjects;
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
