import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { CrewTotals } from "../../../src/workers/crew-totals.ts";
import { readMetrics, sumMetrics, writeMetrics } from "../../../src/workers/sum-metrics.ts";

/** One family as a worker tells it. */
function told(type: string, name: string, samples: Readonly<Record<string, number>>): string {
  return [`# HELP ${name} About it.`, `# TYPE ${name} ${type}`]
    .concat(Object.entries(samples).map(([labels, value]) => `${name}${labels} ${value}`))
    .join("\n");
}

/** The series of what several workers tell of it. */
function sumOf(...texts: readonly string[]): Record<string, number> {
  const families = sumMetrics(texts.map((text) => readMetrics(text)));
  return Object.fromEntries([...families.values()].flatMap(({ samples }) => [...samples]));
}

describe("of several workers", () => {
  test("counters are added up, series by series", () => {
    const name = "bkgw_builds_total";
    const [one, other] = [{ '{result="succeeded"}': 3 }, { '{result="succeeded"}': 4, '{result="failed"}': 1 }];
    expect(sumOf(told("counter", name, one), told("counter", name, other))).toEqual({
      'bkgw_builds_total{result="succeeded"}': 7,
      'bkgw_builds_total{result="failed"}': 1,
    });
  });

  test.each([
    ["bkgw_connections", [2, 3], 5],
    ["bkgw_calls", [2, 3], 5],
    ["bkgw_process_resident_memory_bytes", [2, 3], 5],
    ["bkgw_nodejs_heap_size_used_bytes", [2, 3], 5],
    ["bkgw_build_info", [1, 1], 1],
    ["bkgw_nodejs_eventloop_lag_p99_seconds", [2, 3], 3],
    ["bkgw_certificate_expiry_timestamp_seconds", [2, 3], 2],
  ] as const)("the gauge %s of %j is %d", (name, values, merged) => {
    expect(sumOf(...values.map((value) => told("gauge", name, { "": value })))).toEqual({ [name]: merged });
  });

  test("what waits in their queues is added up, what runs on a replica is what the largest says", () => {
    const pool = '{pool="default"}';
    const replica = '{pool="default",replica="a"}';
    const texts = [1, 2].map((value) =>
      [
        told("gauge", "bkgw_queued_builds", { [pool]: value }),
        told("gauge", "bkgw_replica_running_builds", { [replica]: value }),
      ].join("\n\n"),
    );
    expect(sumOf(...texts)).toEqual({
      [`bkgw_queued_builds${pool}`]: 3,
      [`bkgw_replica_running_builds${replica}`]: 2,
    });
  });

  test.each([
    ["ready", "ready", "ready"],
    ["ready", "ejected", "ejected"],
    ["ejected", "ready", "ejected"],
    ["draining", "ejected", "draining"],
  ])("a replica that one sees %s and one %s is in one state: %s", (one, other, merged) => {
    const states = ["ready", "ejected", "draining"];
    const seen = (state: string) =>
      told(
        "gauge",
        "bkgw_replica_state",
        Object.fromEntries(states.map((name) => [`{replica="a",state="${name}"}`, name === state ? 1 : 0])),
      );
    expect(sumOf(seen(one), seen(other))).toEqual(
      Object.fromEntries(
        states.map((name) => [`bkgw_replica_state{replica="a",state="${name}"}`, name === merged ? 1 : 0]),
      ),
    );
  });
});

test("what prom-client writes is read and written again without a loss", async () => {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: "c_total", help: 'With "quotes" \\ and\nlines.', labelNames: ["l"], registers }).inc({
    l: 'a "b" } c',
  });
  new Gauge({ name: "g", help: "G.", registers }).set(Number.POSITIVE_INFINITY);
  new Histogram({ name: "h", help: "H.", buckets: [0.5, 1], registers }).observe(0.7);
  const text = await registry.metrics();
  const again = writeMetrics(readMetrics(text));
  expect(again.split("\n").filter(Boolean)).toEqual(text.split("\n").filter(Boolean));
});

test("what a worker has counted is kept when it ends, and what it measured is not", () => {
  const totals = new CrewTotals();
  const text = (builds: number, connections: number) =>
    [told("counter", "bkgw_builds_total", { "": builds }), told("gauge", "bkgw_connections", { "": connections })].join(
      "\n",
    );
  const seen = () => Object.fromEntries([...totals.sum().values()].flatMap(({ samples }) => [...samples]));
  totals.told(1, text(5, 2));
  totals.told(2, text(7, 3));
  expect(seen()).toEqual({ bkgw_builds_total: 12, bkgw_connections: 5 });
  totals.ended(2);
  expect(seen()).toEqual({ bkgw_builds_total: 12, bkgw_connections: 2 });
  totals.told(2, text(1, 1));
  totals.told(1, text(6, 0));
  expect(seen()).toEqual({ bkgw_builds_total: 14, bkgw_connections: 1 });
  totals.ended(2);
  totals.ended(1);
  expect(seen()).toEqual({ bkgw_builds_total: 14 });
});
