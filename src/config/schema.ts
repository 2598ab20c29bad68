import type { z } from "zod";
import { type Address, formatAddress } from "../base/address.ts";
import { adminAddress, dnsNameList, listenAddresses, replicaList } from "./address-values.ts";
import { controlSchema } from "./control-schema.ts";
import { drainSchema } from "./drain-schema.ts";
import { healthSchema } from "./health-schema.ts";
import { identitySchema } from "./identity-schema.ts";
import { kubernetesSchema } from "./kubernetes-schema.ts";
import { limitsSchema } from "./limits-schema.ts";
import { logSchema } from "./log-schema.ts";
import { metricsSchema } from "./metrics-schema.ts";
import { platformList } from "./platform-values.ts";
import { policySchema } from "./policy-schema.ts";
import { type ConfiguredPools, poolsSchema } from "./pools-schema.ts";
import { affinitySchema, placementSchema, queueSchema } from "./scheduling-schema.ts";
import { serviceList } from "./service-values.ts";
import { isGiven, isMap, section } from "./structure.ts";
import { replicaTlsSchema, tlsSchema } from "./tls-schema.ts";
import { tracesSchema } from "./traces-schema.ts";
import { count, flag, quote, word } from "./value-types.ts";
import { workerNumber } from "./worker-values.ts";

const DEFAULT_LISTEN: Address = { t: "tcp", host: "0.0.0.0", port: 1234 };

/**
 * Every setting: its type, default, check and the text of its reference row.
 *
 * Durations are milliseconds and sizes are bytes once parsed. `listen` is then
 * what is to be opened beside the pools' own addresses: nothing, where each pool
 * has its own and it is not given.
 */
export const configSchema = section(
  {
    listen: listenAddresses()
      .optional()
      .meta({
        description:
          "Where clients connect. `tcp://[::]:1234` takes IPv4 and IPv6. With `pools`, it serves those that have " +
          "`servernames`, and is opened only when one has.",
        defaultText: `\`${formatAddress(DEFAULT_LISTEN)}\``,
      }),
    replicas: replicaList()
      .default([])
      .describe("A BuildKit replica. Its name, by default `host:port`, appears in messages and logs."),
    replicasDns: dnsNameList()
      .default([])
      .describe("A DNS name that stands for all replicas, such as a headless Service. Looked up again as it changes."),
    replicasService: serviceList()
      .default([])
      .describe(
        "A Kubernetes Service whose pods are the replicas, followed by its EndpointSlices. The port is that of the pods by " +
          "number, or one of the Service by name; by default the one called `buildkit`, or the only one. Needs a Role: list " +
          "and watch endpointslices.",
      ),
    maxBuilds: count()
      .default(8)
      .describe(
        "Builds that one replica runs at once; more wait in the queue. Choose what its cores, memory and disk serve " +
          "well: too many slow each other down, too few leave it idle. `0`: no limit, so that no build waits for room while a " +
          "replica is ready.",
      ),
    workers: workerNumber()
      .default(1)
      .describe(
        "Processes that serve clients, each on a core of its own, behind the same addresses. `auto` or `0`: as many as there " +
          "are cores that the gateway may use.",
      ),
    platforms: platformList()
      .default([])
      .meta({
        description:
          "What the workers are said to build for until a replica has answered once: clients ask before they build. " +
          "Needed where a fleet starts from zero and its machines are not like the gateway's. The first is the machines' " +
          "own: where any replica has it, those of another architecture get no builds; else those of a minority.",
        defaultText: "`linux` on the gateway's own architecture",
      }),
    pools: poolsSchema,
    tls: tlsSchema,
    replicaTls: replicaTlsSchema,
    admin: section({
      listen: adminAddress()
        .default({ t: "tcp", host: "127.0.0.1", port: 6060 })
        .describe(
          "Where the dashboard (`/`), `/status`, `/healthz`, `/readyz`, `/metrics`, `/load`, `/drain`, `/explain`, `/log`, " +
            "`/replicas` and `/debug/health` are served. A kubelet's probes need `0.0.0.0:6060`. A unix socket is for its " +
            "owner alone, who may also change things.",
        ),
      tokenFile: word("file")
        .optional()
        .describe(
          "File with the token, at least 16 characters, that a request must carry to drain a replica over TCP. " +
            "Read again when it changes. Absent: nothing can be changed over TCP.",
        ),
      replicaDebugPort: count({ max: 65_535 })
        .default(6_060)
        .describe(
          "Port of the replicas' own metrics and debug pages (buildkitd's `debugAddress`), which `/replicas/<name>/metrics` " +
            "and `/replicas/<name>/debug/…` show. `0`: they are not shown.",
        ),
      replicaProfiles: flag()
        .default(false)
        .describe("Show the replicas' profiles (`/replicas/<name>/debug/pprof/…`), too, which cost them something."),
    }),
    log: logSchema,
    drain: drainSchema,
    kubernetes: kubernetesSchema,
    identity: identitySchema,
    policy: policySchema,
    metrics: metricsSchema,
    traces: tracesSchema,
    affinity: affinitySchema,
    placement: placementSchema,
    queue: queueSchema,
    health: healthSchema,
    control: controlSchema,
    limits: limitsSchema,
  },
  (keys, report) => {
    for (const key of ["replicas", "replicasDns", "replicasService"]) {
      if (isGiven(keys.pools) && isGiven(keys[key])) report(key, "with pools, each replica belongs in a pool");
    }
    for (const name of unreachablePools(keys)) {
      report(
        ["pools", name, "listen"],
        "a pool needs listen, servernames, or a rule of policy that sends builds there",
      );
    }
  },
)
  .superRefine(({ listen, pools, tls, identity, policy, kubernetes, replicasService }, context) => {
    const fault = (path: PropertyKey[], message: string) => context.addIssue({ code: "custom", message, path });
    if (identity.trust.length > 0 && tls.clientCa === undefined) fault(["identity", "trust"], "needs tls.clientCa");
    const hasService = [replicasService, ...Object.values(pools).map((pool) => pool.replicasService)].some(isGiven);
    if (kubernetes.deletionCost && !hasService) fault(["kubernetes", "deletionCost"], "needs replicasService");
    const rules = Object.entries(policy);
    for (const [name, { servernames }] of Object.entries(pools)) {
      if (servernames.length > 0 && tls.mode === "off") fault(["pools", name, "servernames"], "need tls");
    }
    for (const [name, { pool, pools: allowed = [] }] of rules) {
      const known = Object.keys(pools);
      const isKnown = (one: string) => known.includes(one);
      if (pool !== undefined && !isKnown(pool)) fault(["policy", name, "pool"], `no such pool: ${quote(pool)}`);
      for (const [index, one] of allowed.entries()) {
        if (!isKnown(one)) fault(["policy", name, "pools", index], `no such pool: ${quote(one)}`);
      }
    }
    if (listen !== undefined && !isCommonListenUsed(pools)) {
      fault(["listen"], "leads to no pool (give a pool servernames, or leave it out)");
    }
    const common = new Set((listen ?? defaultListen(pools)).map(formatAddress));
    for (const [name, pool] of Object.entries(pools)) {
      for (const [index, address] of pool.listen.entries()) {
        const isAnyPort = address.t === "tcp" && address.port === 0;
        if (isAnyPort || !common.has(formatAddress(address))) continue;
        fault(["pools", name, "listen", index], `${formatAddress(address)} is the common listen's`);
      }
    }
  })
  .transform((config) => ({ ...config, listen: config.listen ?? defaultListen(config.pools) }));

/** The whole configuration, checked and complete. */
export type Config = z.output<typeof configSchema>;

/** Pools that no address, name or rule leads to. */
function unreachablePools({ pools, policy }: Readonly<Record<string, unknown>>): string[] {
  const sections = (map: unknown) => Object.entries(isMap(map) ? map : {}).filter(([, keys]) => isMap(keys));
  const sentTo = sections(policy).map(([, { pool }]) => pool);
  return sections(pools).flatMap(([name, { listen, servernames }]) =>
    isGiven(listen) || isGiven(servernames) || sentTo.includes(name) ? [] : [name],
  );
}

function defaultListen(pools: ConfiguredPools): readonly Address[] {
  return isCommonListenUsed(pools) ? [DEFAULT_LISTEN] : [];
}

function isCommonListenUsed(pools: ConfiguredPools): boolean {
  const all = Object.values(pools);
  return all.length === 0 || all.some(({ servernames }) => servernames.length > 0);
}
