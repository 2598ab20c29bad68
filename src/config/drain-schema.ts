import { section } from "./structure.ts";
import { duration } from "./value-types.ts";

/** `drain`: how the gateway goes away. */
export const drainSchema = section({
  delay: duration()
    .default(5_000)
    .describe(
      "How long new connections are still accepted after SIGTERM, while `/readyz` already fails. Choose the time " +
        "that load balancers and endpoints need to notice.",
    ),
  grace: duration()
    .default(3_600_000)
    .describe(
      "How long running builds may go on after SIGTERM and `drain.delay`. Keep both together under the pod's " +
        "`terminationGracePeriodSeconds`, or Kubernetes kills them first.",
    ),
});
