import type { z } from "zod";
import { adminAddress, listenAddresses, upstreamAddress } from "./address-values.ts";
import { claimList } from "./claim-values.ts";
import { drainSchema } from "./drain-schema.ts";
import { limitsSchema } from "./limits-schema.ts";
import { logSchema } from "./log-schema.ts";
import { section } from "./structure.ts";
import { tlsClientSchema } from "./tls-schema.ts";
import { word } from "./value-types.ts";

/** Every setting of a sidecar; those that `serve` has as well mean the same. */
export const sidecarSchema = section(
  {
    listen: listenAddresses()
      .default([{ t: "tcp", host: "127.0.0.1", port: 1234 }])
      .describe("Where the clients beside it connect, in the clear."),
    upstream: upstreamAddress().optional().describe("The gateway that all calls go to."),
    upstreamTls: tlsClientSchema("upstreamTls", "the gateway"),
    identity: section({
      claims: claimList()
        .default([])
        .describe(
          "Who is building, for what the gateway cannot see itself: repository, workflow, runId, job, namespace, pod or " +
            "workload.",
        ),
      file: word("file")
        .optional()
        .describe(
          "File with a job's environment, as a runner's job-started hook writes it with `env`: GITHUB_REPOSITORY, " +
            "GITHUB_WORKFLOW_REF, GITHUB_RUN_ID and GITHUB_JOB count. Read again for each client; it may come later. What " +
            "it says wins over `identity.claims`.",
        ),
    }),
    admin: section({
      listen: adminAddress().default("off").describe("Where `/healthz` and `/readyz` are served."),
    }),
    log: logSchema,
    drain: drainSchema,
    limits: limitsSchema,
  },
  ({ upstream }, report) => {
    if (upstream === undefined) report("upstream", "no gateway given: use --upstream tcp://host:port");
  },
);

/** A sidecar's whole configuration, checked and complete. */
export type SidecarConfig = z.output<typeof sidecarSchema>;
