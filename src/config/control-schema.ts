import { section } from "./structure.ts";
import { choice, duration } from "./value-types.ts";

/** What an answer is to which a replica's part is missing. */
export const MISSING_POLICIES = ["error", "omit"] as const;

/** `control`: what is answered for the whole fleet. */
export const controlSchema = section({
  timeout: duration({ min: 100 })
    .default(5_000)
    .describe(
      "Time that a replica has to answer a question about builds or content, or for each next record of a list, before " +
        "its part of the answer is missing.",
    ),
  slowTimeout: duration({ min: 1_000 })
    .default(120_000)
    .describe(
      "Time that a replica has for what it may have to work on: its disk usage, a change of its history. One that is " +
        "ejected meanwhile is not waited for.",
    ),
  incomplete: section({
    diskUsage: choice(MISSING_POLICIES)
      .default("error")
      .describe(
        "What `buildx du` gets while a replica is missing: `error` names it, `omit` answers with what the others have.",
      ),
    prune: choice(MISSING_POLICIES)
      .default("error")
      .describe(
        "What `buildx prune` gets then. The other replicas are pruned in any case; `error` names the missing one at the end.",
      ),
    history: choice(MISSING_POLICIES)
      .default("error")
      .describe(
        "What `buildx history ls` gets then, and a question about a build or content that none of the others has. What is found is answered in any case.",
      ),
  }),
});
