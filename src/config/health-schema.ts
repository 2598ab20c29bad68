import { section } from "./structure.ts";
import { count, duration } from "./value-types.ts";

/** `health`: when a replica is taken to be well, and when to be lost. */
export const healthSchema = section({
  interval: duration({ min: 100 }).default(5_000).describe("Time between two health checks of a replica."),
  timeout: duration({ min: 10 }).default(2_000).describe("Time that a replica has to answer one."),
  failures: count({ min: 1 }).default(2).describe("Failed checks in a row that put a replica out."),
  frozenAfter: duration()
    .default(30_000)
    .describe(
      "How long a replica that is out may also be silent on a connection with running builds, a PING unanswered, until they " +
        "end with UNAVAILABLE. One that goes on sooner goes on with them. `0s`: they wait for it.",
    ),
});
