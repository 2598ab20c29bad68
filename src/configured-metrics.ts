import { Gauge, Registry } from "prom-client";
import { BuildMetrics } from "./admin/build-metrics.ts";
import { addCertificateMetrics } from "./admin/certificate-metrics.ts";
import { addFleetMetrics, CheckMetrics, type MeasuredPool } from "./admin/fleet-metrics.ts";
import { addProcessMetrics, METRIC_PREFIX } from "./admin/process-metrics.ts";
import { RpcMetrics } from "./admin/rpc-metrics.ts";
import { addSwitchMetrics, type SwitchNumbers } from "./admin/switch-metrics.ts";
import { addTraceMetrics, type SpanNumbers } from "./admin/trace-metrics.ts";
import type { CertificateExpiry } from "./base/followed-tls.ts";
import { programVersion } from "./base/program-version.ts";
import type { Config } from "./config/schema.ts";

/** What metrics are read from, when they are asked for. */
export interface MetricSubjects {
  readonly pools: () => readonly MeasuredPool[];
  readonly census: () => SwitchNumbers;
  readonly expiries: () => readonly CertificateExpiry[];
  /** Undefined: there are no traces. */
  readonly spans: () => SpanNumbers | undefined;
}

/** All that Prometheus can be told, and those that have to be told of what happens. */
export interface GatewayMetrics {
  readonly registry: Registry;
  readonly builds: BuildMetrics;
  readonly checks: CheckMetrics;
  readonly rpcs: RpcMetrics;
}

/** Make the metrics of a gateway, its process among them. */
export function makeMetrics({ metrics }: Pick<Config, "metrics">, subjects: MetricSubjects): GatewayMetrics {
  const registry = new Registry();
  const told = {
    builds: new BuildMetrics(registry, metrics.repositories),
    checks: new CheckMetrics(registry),
    rpcs: new RpcMetrics(registry),
  };
  addFleetMetrics(registry, subjects.pools);
  addSwitchMetrics(registry, subjects.census);
  addCertificateMetrics(registry, subjects.expiries);
  addTraceMetrics(registry, () => subjects.spans() ?? { exported: 0, dropped: 0 });
  new Gauge({
    name: `${METRIC_PREFIX}build_info`,
    help: "1, with the versions of the gateway and of Node.",
    labelNames: ["version", "node"],
    registers: [registry],
  }).set({ version: programVersion(), node: process.version }, 1);
  addProcessMetrics(registry);
  return { registry, ...told };
}
