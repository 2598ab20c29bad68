import type { Registry } from "prom-client";
import { type AdminRoute, type AdminRoutes, respondText } from "./routes.ts";

/** `GET /metrics`, and `/debug/metrics` as BuildKit's users look for it: all metrics, as Prometheus reads them. */
export function metricsRoutes(registry: Registry): AdminRoutes {
  const route: AdminRoute = {
    methods: ["GET", "HEAD"],
    handle: async (_request, response) => {
      const text = await registry.metrics();
      respondText(response, 200, text.trimEnd(), { "content-type": registry.contentType });
    },
  };
  return { "/metrics": route, "/debug/metrics": route };
}
