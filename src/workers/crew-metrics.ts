import { Counter, Gauge, Registry } from "prom-client";
import { addProcessMetrics } from "../admin/process-metrics.ts";

/** What the parent of the workers knows of them. */
export interface CrewCensus {
  readonly members: readonly unknown[];
  readonly deaths: number;
  readonly refused: number;
  /** Of those, they that were one too many. */
  readonly overLimit: number;
}

/** What the parent tells Prometheus beside what its workers tell: of them, of its own process, and of whom it sent away. */
export function makeCrewMetrics(crew: CrewCensus): Registry {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: "bkgw_workers",
    help: "Worker processes that serve.",
    registers,
    collect() {
      this.set(crew.members.length);
    },
  });
  new Counter({
    name: "bkgw_worker_deaths_total",
    help: "Worker processes that have ended without being told to.",
    registers,
    collect() {
      this.reset();
      this.inc(crew.deaths);
    },
  });
  new Counter({
    name: "bkgw_connections_total",
    help: "Connections by what became of them.",
    labelNames: ["result"],
    registers,
    collect() {
      this.reset();
      this.inc({ result: "refused" }, crew.refused);
    },
  });
  new Counter({
    name: "bkgw_limit_hits_total",
    help: "How often a limit was reached.",
    labelNames: ["limit"],
    registers,
    collect() {
      this.reset();
      this.inc({ limit: "connections" }, crew.overLimit);
    },
  });
  addProcessMetrics(registry);
  return registry;
}
