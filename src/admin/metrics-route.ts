import type { Registry } from "prom-client";
import { readQuery } from "./query.ts";
import { replicaMetrics, type ScrapedPool } from "./replica-metrics.ts";
import { type AdminRoute, type AdminRoutes, RequestFault, respondText } from "./routes.ts";

/** Whose metrics are told. */
export interface MetricsRouteOptions {
  readonly registry: Registry;
  readonly pools: readonly ScrapedPool[];
  /** Where every replica serves its own metrics; 0: nowhere. */
  readonly replicaPort: number;
}

/**
 * `GET /metrics`, and `/debug/metrics` as BuildKit's users look for it: all
 * metrics, as Prometheus reads them; with `?replicas=1` the replicas' own, too.
 */
export function metricsRoutes({ registry, pools, replicaPort }: MetricsRouteOptions): AdminRoutes {
  // Whoever comes meanwhile gets the same: the replicas are asked by one at a time, however many ask here.
  let asked: Promise<string> | undefined;
  const askReplicas = (): Promise<string> => {
    asked ??= replicaMetrics(pools, replicaPort).finally(() => {
      asked = undefined;
    });
    return asked;
  };
  const route: AdminRoute = {
    methods: ["GET", "HEAD"],
    handle: async ({ query }, response) => {
      const { replicas = "0" } = readQuery(query, ["replicas"]);
      if (replicas !== "0" && replicas !== "1") throw new RequestFault(400, "replicas must be 0 or 1");
      if (replicas === "1" && replicaPort === 0) throw new RequestFault(404, "admin.replicaDebugPort is 0");
      const [own, theirs] = await Promise.all([registry.metrics(), replicas === "1" ? askReplicas() : ""]);
      respondText(response, 200, `${own.trimEnd()}\n${theirs}`.trimEnd(), { "content-type": registry.contentType });
    },
  };
  return { "/metrics": route, "/debug/metrics": route };
}
