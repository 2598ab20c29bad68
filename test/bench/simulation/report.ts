import type { Figures } from "./measurements.ts";
import type { ScenarioOptions } from "./scenario.ts";

/** All that was simulated. */
export interface Results {
  readonly scenario: ScenarioOptions;
  /** By load, then by policy. */
  readonly policies: Readonly<Record<string, Readonly<Record<string, Figures>>>>;
  readonly patienceLoad: number;
  /** By patience. */
  readonly patience: Readonly<Record<string, Figures>>;
}

/** The results as Markdown. */
export function renderReport({ scenario, policies, patienceLoad, patience }: Results): string {
  return [
    describeModel(scenario),
    ...Object.entries(policies).map(([load, figures]) => `### Load ${load}\n\n${renderTable("policy", figures)}`),
    `### Patience, at load ${patienceLoad}\n\n${renderTable("patience", patience)}`,
  ].join("\n\n");
}

function describeModel(scenario: ScenarioOptions): string {
  const { replicas, maxBuilds, repositories, zipfExponent, medianBuildMs, sigma, coldFactor } = scenario;
  const { cachedRepositories, churnEveryMs, durationMs, seed } = scenario;
  return [
    `${replicas} replicas of ${maxBuilds} builds, ${durationMs / 3_600_000} hours, the first sixth not counted, seed ${seed}.`,
    `Builds arrive at random (Poisson) from ${repositories} repositories with Zipf popularity (exponent ${zipfExponent}).`,
    `A warm build is log-normal with a median of ${medianBuildMs / 1_000} s (sigma ${sigma}); a cold one takes ${coldFactor} times as long.`,
    `A replica keeps the caches of the ${cachedRepositories} repositories that built there last.`,
    `Every ${churnEveryMs / 60_000} minutes a replica joins, or the oldest takes no more builds and leaves.`,
    "Load is the share of slots that would be busy if all builds were warm. All policies see loads at once, keep to",
    `${maxBuilds} builds for each replica and may make 1000 builds wait. All start with empty caches.`,
    "Warm: builds, without each repository's first, that find their cache. A refused build finds none, and its wait has",
    "no end. Total: mean time from arrival to end, without those.",
  ].join("\n");
}

function wait(seconds: number): string {
  return Number.isFinite(seconds) ? `${seconds.toFixed(1)} s` : "no end";
}

function renderTable(name: string, rows: Readonly<Record<string, Figures>>): string {
  const head = [name, "warm", "wait p50", "wait p99", "total", "max/mean load", "refused"];
  const lines = Object.entries(rows).map(([label, figures]) => [
    label,
    `${(figures.warmShare * 100).toFixed(1)} %`,
    wait(figures.waitP50),
    wait(figures.waitP99),
    `${figures.meanTotal.toFixed(0)} s`,
    figures.maxByMean.toFixed(2),
    String(figures.refused),
  ]);
  const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
