import { seededRandom } from "../../support/seeded-random.ts";

/** The world that is simulated. Times in milliseconds. */
export interface ScenarioOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly repositories: number;
  /** Exponent of the Zipf law: the repository of rank r builds in proportion to r^-exponent. */
  readonly zipfExponent: number;
  /** How much of all slots would be busy if every build were warm, from 0 to 1. */
  readonly load: number;
  readonly maxBuilds: number;
  /** Length of a warm build: log-normal. */
  readonly medianBuildMs: number;
  /** Standard deviation of the logarithm of the length. */
  readonly sigma: number;
  /** A cold build takes this many times as long. */
  readonly coldFactor: number;
  /** Repositories whose cache one replica keeps; beyond it, the one that has not built there for longest is lost. */
  readonly cachedRepositories: number;
  /** In turn a new replica joins and an old one drains and leaves, with this time between. */
  readonly churnEveryMs: number;
  readonly durationMs: number;
}

export const USUAL_SCENARIO: ScenarioOptions = {
  seed: 1,
  replicas: 50,
  repositories: 2_000,
  zipfExponent: 1,
  load: 0.6,
  maxBuilds: 8,
  medianBuildMs: 60_000,
  sigma: 1,
  coldFactor: 3,
  cachedRepositories: 100,
  churnEveryMs: 600_000,
  durationMs: 4 * 3_600_000,
};

/** A build to come. */
export interface PlannedBuild {
  readonly atMs: number;
  readonly key: string;
  /** How long it takes where its cache is warm. */
  readonly warmMs: number;
}

/** All builds to come, the same for every policy. */
export function planBuilds(options: ScenarioOptions): PlannedBuild[] {
  const random = seededRandom(options.seed);
  const popularity = cumulativeZipf(options.repositories, options.zipfExponent);
  const meanMs = options.medianBuildMs * Math.exp(options.sigma ** 2 / 2);
  const betweenMs = meanMs / (options.load * options.replicas * options.maxBuilds);
  const builds: PlannedBuild[] = [];
  for (let atMs = 0; ; ) {
    atMs += -Math.log(1 - random()) * betweenMs;
    if (atMs >= options.durationMs) return builds;
    builds.push({
      atMs,
      key: `github.com/acme/app-${rankAt(popularity, random())}`,
      warmMs: options.medianBuildMs * Math.exp(options.sigma * normal(random)),
    });
  }
}

/** Share of the builds that go to the first, the first two, … repositories. */
function cumulativeZipf(count: number, exponent: number): Float64Array {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent;
    cumulative[rank] = sum;
  }
  return cumulative.map((part) => part / sum);
}

function rankAt(cumulative: Float64Array, share: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! <= share) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A number from the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
