import { z } from "zod";
import { LOG_LEVELS } from "../base/log.ts";
import { adminAddress, dnsNameList, listenAddresses, replicaList } from "./address-values.ts";
import { limitsSchema } from "./limits-schema.ts";
import { list, section } from "./structure.ts";
import { replicaTlsSchema, tlsSchema } from "./tls-schema.ts";
import { choice, count, duration, fraction } from "./value-types.ts";

/** Where the key of a build's cache locality can come from. */
export const AFFINITY_SOURCES = ["repository", "image", "sharedkey"] as const;

/**
 * Every setting: its type, default, check and the text of its reference row.
 *
 * Durations are milliseconds and sizes are bytes once parsed.
 */
export const configSchema = z.strictObject({
  listen: listenAddresses()
    .default([{ t: "tcp", host: "0.0.0.0", port: 1234 }])
    .describe("Where clients connect. `tcp://[::]:1234` takes IPv4 and IPv6."),
  replicas: replicaList()
    .default([])
    .describe("A BuildKit replica. Its name, by default `host:port`, appears in messages and logs."),
  replicasDns: dnsNameList()
    .default([])
    .describe("A DNS name that stands for all replicas, such as a headless Service. Looked up again as it changes."),
  tls: tlsSchema,
  replicaTls: replicaTlsSchema,
  admin: section({
    listen: adminAddress()
      .default({ t: "tcp", host: "127.0.0.1", port: 6060 })
      .describe("Where `/healthz` and `/readyz` are served. A kubelet's probes need `0.0.0.0:6060`."),
  }),
  log: section({
    level: choice(LOG_LEVELS).default("info").describe("Least severe event that is logged, as JSON on standard error."),
  }),
  drain: section({
    grace: duration()
      .default(3_600_000)
      .describe(
        "How long running builds may go on after SIGTERM. Keep it under the pod's `terminationGracePeriodSeconds`, " +
          "or Kubernetes kills them first.",
      ),
  }),
  placement: section({
    affinity: list(choice(AFFINITY_SOURCES), { label: AFFINITY_SOURCES.join(", "), writeItem: String }, (source) => [
      source,
    ])
      .default([...AFFINITY_SOURCES])
      .describe(
        "What makes builds land where their cache is, in order: the first that a build carries is its key. With an " +
          "empty list, every build goes to the least loaded replica.",
      ),
    loadFactor: fraction({ min: 1 })
      .default(1.25)
      .describe(
        "How far above the mean number of running builds a replica may be before a build goes to the next one.",
      ),
    loadFloor: count().default(4).describe("A replica that runs fewer builds than this is never above the mean."),
  }),
  health: section({
    interval: duration({ min: 100 }).default(5_000).describe("Time between two health checks of a replica."),
    timeout: duration({ min: 10 }).default(2_000).describe("Time that a replica has to answer one."),
    failures: count({ min: 1 }).default(2).describe("Failed checks in a row that put a replica out."),
  }),
  limits: limitsSchema,
});

/** The whole configuration, checked and complete. */
export type Config = z.output<typeof configSchema>;
