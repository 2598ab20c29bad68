import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { BuildMetrics } from "../../../src/admin/build-metrics.ts";

const BUILD = { pool: "default", outcome: "lost", reason: "warm", repository: undefined, waitedMs: 0, ranMs: 0 };

async function samples(registry: Registry, name: string): Promise<string[]> {
  return (await registry.metrics()).split("\n").filter((line) => line.startsWith(`${name}{`));
}

test("a pool's builds are told before the first has ended, so that the first of a kind is an increase", async () => {
  const registry = new Registry();
  const builds = new BuildMetrics(registry, 0);
  builds.expect("default");
  const before = await samples(registry, "bkgw_builds_total");
  expect(before).toContain('bkgw_builds_total{pool="default",result="lost",reason="warm"} 0');
  expect(before).toHaveLength(30);
  builds.ended(BUILD);
  const after = await samples(registry, "bkgw_builds_total");
  expect(after.filter((line) => !before.includes(line))).toEqual([
    'bkgw_builds_total{pool="default",result="lost",reason="warm"} 1',
  ]);
});

test("so many repositories have a series of their own, and the others one", async () => {
  const registry = new Registry();
  const builds = new BuildMetrics(registry, 2);
  for (const repository of ["a", 'b"}\n', "c", "d", "a", undefined]) builds.ended({ ...BUILD, repository });
  expect(await samples(registry, "bkgw_repository_builds_total")).toEqual([
    'bkgw_repository_builds_total{repository="a",result="lost"} 2',
    'bkgw_repository_builds_total{repository="b\\"}\\n",result="lost"} 1',
    'bkgw_repository_builds_total{repository="other",result="lost"} 2',
    'bkgw_repository_builds_total{repository="unknown",result="lost"} 1',
  ]);
});
