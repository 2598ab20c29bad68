import { Counter, Histogram, Registry } from "prom-client";
import { type AdminRoutes, respondText } from "./routes.ts";

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

/** What Prometheus is told of builds. */
export class BuildMetrics {
  readonly #registry = new Registry();
  readonly #maxRepositories: number;
  readonly #repositories = new Set<string>();
  readonly #builds = new Counter({
    name: "bkgw_builds_total",
    help: "Builds that have ended, by how they ended and why they ran where they ran.",
    labelNames: ["pool", "result", "reason"],
    registers: [this.#registry],
  });
  readonly #waits = new Histogram({
    name: "bkgw_build_wait_seconds",
    help: "Time from a build's Solve until it was sent to a replica, or given up.",
    labelNames: ["pool"],
    buckets: [0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800],
    registers: [this.#registry],
  });
  readonly #durations = new Histogram({
    name: "bkgw_build_duration_seconds",
    help: "Time that builds ran on their replicas.",
    labelNames: ["pool"],
    buckets: [0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600],
    registers: [this.#registry],
  });
  readonly #byRepository: Counter<"repository" | "result"> | undefined;

  /** `maxRepositories`: how many have series of their own; 0: none, and no such metric. */
  constructor(maxRepositories: number) {
    this.#maxRepositories = maxRepositories;
    if (maxRepositories === 0) return;
    this.#byRepository = new Counter({
      name: "bkgw_repository_builds_total",
      help: "Builds that have ended, by the repository whose job they were: metrics.repositories of them.",
      labelNames: ["repository", "result"],
      registers: [this.#registry],
    });
  }

  ended({ pool, outcome, reason, repository, waitedMs, ranMs }: MeasuredBuild): void {
    this.#builds.inc({ pool, result: outcome, reason });
    this.#waits.observe({ pool }, waitedMs / 1_000);
    if (reason !== "none") this.#durations.observe({ pool }, ranMs / 1_000);
    this.#byRepository?.inc({ repository: this.#labelOf(repository), result: outcome });
  }

  /** `GET /metrics`: all of it, as Prometheus reads it. */
  routes(): AdminRoutes {
    const route = {
      methods: ["GET", "HEAD"],
      handle: async (_request: unknown, response: Parameters<typeof respondText>[0]) => {
        const { contentType } = this.#registry;
        respondText(response, 200, (await this.#registry.metrics()).trimEnd(), { "content-type": contentType });
      },
    };
    return { "/metrics": route, "/debug/metrics": route };
  }

  #labelOf(repository: string | undefined): string {
    if (repository === undefined) return UNKNOWN;
    if (this.#repositories.size < this.#maxRepositories) this.#repositories.add(repository);
    return this.#repositories.has(repository) ? repository : OTHER;
  }
}
