import { expect, test } from "vitest";
import { readMetrics, sumOf } from "../../soak/metric-values.ts";

test("values are read with their labels, and added up", () => {
  const metrics = readMetrics(`# HELP builds Builds.
# TYPE builds counter
builds{result="lost",name="a \\"b\\", c"} 2
builds{result="failed"} 3e2
plain 1.5
`);
  expect(metrics[0]).toEqual({ name: "builds", labels: { result: "lost", name: 'a \\"b\\", c' }, value: 2 });
  expect(sumOf(metrics, "builds")).toBe(302);
  expect(sumOf(metrics, "builds", { result: "failed" })).toBe(300);
  expect(sumOf(metrics, "plain")).toBe(1.5);
  expect(sumOf(metrics, "missing")).toBe(0);
});
