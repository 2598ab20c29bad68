import { type Spread, spread } from "../statistics.ts";
import type { FrontName } from "./front.ts";
import type { JobOutcome } from "./job.ts";

/** One front's jobs in figures. */
export interface FrontResult {
  readonly name: FrontName;
  readonly about: string;
  /** Builds that came after another of the same repository. */
  readonly laterBuilds: number;
  /** Those of them whose slow layer came from the cache. */
  readonly warmBuilds: number;
  readonly warmShare: number;
  /** Of a whole job, over the rounds. */
  readonly wallMs: Spread;
  /** Of one build, over all of them. */
  readonly buildMs: Spread;
  /** Last lines of the failed ones. */
  readonly failures: readonly string[];
}

/** Put the rounds of one front together. */
export function summarize(name: FrontName, about: string, jobs: readonly JobOutcome[]): FrontResult {
  const builds = jobs.flatMap((job) => job.builds);
  const later = builds.filter(({ isFirst }) => !isFirst);
  const warmBuilds = later.filter(({ isWarm }) => isWarm).length;
  return {
    name,
    about,
    laterBuilds: later.length,
    warmBuilds,
    warmShare: warmBuilds / later.length,
    wallMs: spread(jobs.map(({ wallMs }) => wallMs))!,
    buildMs: spread(builds.map(({ durationMs }) => durationMs))!,
    failures: builds.flatMap(({ failure }) => failure ?? []),
  };
}
