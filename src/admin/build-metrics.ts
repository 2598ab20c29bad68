import { Counter, Histogram, type Registry } from "prom-client";
import type { CallOutcome } from "../routing/routed-call.ts";
import type { BuildEnd } from "../routing/running-build.ts";

/** What is told of a build that has ended. */
export interface MeasuredBuild {
  readonly pool: string;
  /** `succeeded`, `failed`, `cancelled`, `lost` or `refused`. */
  readonly outcome: string;
  /** Why it ran where it ran; `none` where it ran nowhere. */
  readonly reason: string;
  /** The repository whose job it was, as far as it is known. */
  readonly repository: string | undefined;
  readonly waitedMs: number;
  readonly ranMs: number;
}

/** Repositories beyond the maximum, and builds of which none is known. */
const OTHER = "other";
const UNKNOWN = "unknown";

const RESULTS: readonly CallOutcome[] = ["succeeded", "failed", "cancelled", "lost", "refused"];

const REASONS: readonly (NonNullable<BuildEnd["reason"]> | "none")[] = [
  "warm",
  "preferred",
  "spilled",
  "least loaded",
  "followed",
  "none",
];

/** What Prometheus is told of builds. */
export class BuildMetrics {
  readonly #maxRepositories: number;
  readonly #repositories = new Set<string>();
  readonly #builds: Counter<"pool" | "result" | "reason">;
  readonly #waits: Histogram<"pool">;
  readonly #durations: Histogram<"pool">;
  readonly #byRepository: Counter<"repository" | "result"> | undefined;

  /** `maxRepositories`: how many have series of their own; 0: none, and no such metric. */
  constructor(registry: Registry, maxRepositories: number) {
    const registers = [registry];
    this.#maxRepositories = maxRepositories;
    this.#builds = new Counter({
      name: "bkgw_builds_total",
      help: "Builds that have ended, by how they ended and why they ran where they ran.",
      labelNames: ["pool", "result", "reason"],
      registers,
    });
    this.#waits = new Histogram({
      name: "bkgw_build_wait_seconds",
      help: "Time from a build's Solve until it was sent to a replica, or given up.",
      labelNames: ["pool"],
      buckets: [0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800],
      registers,
    });
    this.#durations = new Histogram({
      name: "bkgw_build_duration_seconds",
      help: "Time that builds ran on their replicas.",
      labelNames: ["pool"],
      buckets: [0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600],
      registers,
    });
    if (maxRepositories === 0) return;
    this.#byRepository = new Counter({
      name: "bkgw_repository_builds_total",
      help: "Builds that have ended, by the repository whose job they were: metrics.repositories of them.",
      labelNames: ["repository", "result"],
      registers,
    });
  }

  /** Of this pool there will be builds. What is not told as 0 first has, to Prometheus, not increased when it is 1. */
  expect(pool: string): void {
    for (const result of RESULTS) {
      for (const reason of REASONS) this.#builds.inc({ pool, result, reason }, 0);
    }
  }

  ended({ pool, outcome, reason, repository, waitedMs, ranMs }: MeasuredBuild): void {
    this.#builds.inc({ pool, result: outcome, reason });
    this.#waits.observe({ pool }, waitedMs / 1_000);
    if (reason !== "none") this.#durations.observe({ pool }, ranMs / 1_000);
    this.#byRepository?.inc({ repository: this.#labelOf(repository), result: outcome });
  }

  #labelOf(repository: string | undefined): string {
    if (repository === undefined) return UNKNOWN;
    if (this.#repositories.size < this.#maxRepositories) this.#repositories.add(repository);
    return this.#repositories.has(repository) ? repository : OTHER;
  }
}
