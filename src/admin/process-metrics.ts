import { collectDefaultMetrics, type Registry } from "prom-client";

/** Everything that stands before a metric's name. */
export const METRIC_PREFIX = "bkgw_";

/** Tell Prometheus of this process and its runtime. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, prefix: METRIC_PREFIX });
  for (const { name } of registry.getMetricsAsArray()) {
    // Gauges that are called totals, and their parts, of no use to anybody here.
    if (name.startsWith(`${METRIC_PREFIX}nodejs_active_`)) registry.removeSingleMetric(name);
  }
}
