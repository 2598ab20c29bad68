import { section } from "./structure.ts";
import { count } from "./value-types.ts";

/** `metrics`: what Prometheus is told. */
export const metricsSchema = section({
  repositories: count({ max: 10_000 })
    .default(0)
    .describe(
      "Repositories that have a series of their own; what is beyond them is counted together, as `other`. `0`: no " +
        "series tells of repositories.",
    ),
});
