import type { z } from "zod";
import { formatAddress } from "../base/address.ts";
import { dnsNameList, listenAddresses, replicaList } from "./address-values.ts";
import { namedSections } from "./named-sections.ts";
import { platformList } from "./platform-values.ts";
import { servernameList } from "./servername-values.ts";
import { serviceList } from "./service-values.ts";
import { isGiven, section } from "./structure.ts";
import { count, quote } from "./value-types.ts";

/** A name that appears in messages, logs and addresses of the admin port. */
const POOL_NAME = /^[a-z0-9-]{1,63}$/;

/** One fleet of several, with its own way in. */
const poolSchema = section(
  {
    listen: listenAddresses()
      .default([])
      .describe("Where clients of this pool alone connect. A pool needs this, `servernames` or both."),
    servernames: servernameList()
      .default([])
      .describe(
        "Names by which TLS clients reach this pool on the common `listen`: an exact one, or `*.` and a domain for " +
          "every name right below it. The certificate must carry them.",
      ),
    replicas: replicaList().default([]).describe("As `replicas`, for this pool."),
    replicasDns: dnsNameList().default([]).describe("As `replicasDns`, for this pool."),
    replicasService: serviceList().default([]).describe("As `replicasService`, for this pool."),
    maxBuilds: count()
      .optional()
      .meta({ description: "As `maxBuilds`, for this pool.", defaultText: "that of `maxBuilds`" }),
    platforms: platformList().optional().meta({
      description: "As `platforms`, for this pool. Say it where the pool's machines are not like the gateway's.",
      defaultText: "that of `platforms`",
    }),
  },
  ({ replicas, replicasDns, replicasService }, report) => {
    if (!isGiven(replicas) && !isGiven(replicasDns) && !isGiven(replicasService)) {
      report("replicas", "a pool needs replicas, replicasDns or replicasService");
    }
  },
);

/** `pools`: fleets by name. Absent or empty: there is one, made of the settings outside. */
export const poolsSchema = namedSections(poolSchema, {
  pattern: POOL_NAME,
  noun: "pool",
  hint: '1 to 63 of a-z, 0-9 and "-"',
}).superRefine((pools, context) => {
  const owners = new Map<string, string>();
  for (const [name, { listen, servernames }] of Object.entries(pools)) {
    const claim = (key: string, identity: string, index: number) => {
      const owner = owners.get(identity) ?? name;
      if (owner !== name) {
        context.addIssue({ code: "custom", message: `${identity} is pool ${owner}'s`, path: [name, key, index] });
      }
      owners.set(identity, owner);
    };
    for (const [index, address] of listen.entries()) {
      const isAnyPort = address.t === "tcp" && address.port === 0;
      if (!isAnyPort) claim("listen", `address ${formatAddress(address)}`, index);
    }
    for (const [index, servername] of servernames.entries()) claim("servernames", `name ${quote(servername)}`, index);
  }
});

/** Pools as configured, by name. */
export type ConfiguredPools = z.output<typeof poolsSchema>;
