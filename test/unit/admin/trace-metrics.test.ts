import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { addTraceMetrics } from "../../../src/admin/trace-metrics.ts";

test("spans are counted by what became of them, as of when it is asked", async () => {
  const registry = new Registry();
  let exported = 0;
  addTraceMetrics(registry, () => ({ exported, dropped: 2 }));
  exported = 7;
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await registry.metrics();
    expect(text).toContain('bkgw_trace_spans_total{result="exported"} 7');
    expect(text).toContain('bkgw_trace_spans_total{result="dropped"} 2');
  }
});
