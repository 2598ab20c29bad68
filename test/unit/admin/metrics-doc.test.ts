import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { METRICS_DOC, metricsDoc } from "../../support/metrics-doc.ts";

test("docs/metrics.md is what the program's metrics generate (npm run docs)", async () => {
  expect(readFileSync(METRICS_DOC, "utf8")).toBe(await metricsDoc());
});
