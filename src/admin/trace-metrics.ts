import { Counter, type Registry } from "prom-client";

/** What became of spans, since the start. */
export interface SpanNumbers {
  readonly exported: number;
  readonly dropped: number;
}

/** Tell Prometheus of the spans of builds. `read` is called when it asks. */
export function addTraceMetrics(registry: Registry, read: () => SpanNumbers): void {
  new Counter({
    name: "bkgw_trace_spans_total",
    help: "Spans of builds by what became of them: exported (the collector took them) or dropped (it did not in time, or too many waited).",
    labelNames: ["result"],
    registers: [registry],
    collect() {
      const { exported, dropped } = read();
      this.reset();
      this.inc({ result: "exported" }, exported);
      this.inc({ result: "dropped" }, dropped);
    },
  });
}
