import type { Address } from "../base/address.ts";
import type { DnsName, NamedAddress } from "./address-values.ts";
import type { Config } from "./schema.ts";
import type { ServiceName } from "./service-values.ts";

/** One fleet with its way in, as the gateway builds it. */
export interface PoolConfig {
  readonly name: string;
  /** Addresses of its own. */
  readonly listen: readonly Address[];
  /** Names that lead to it on the common addresses, in lower case; `*.domain` stands for every name right below it. */
  readonly servernames: readonly string[];
  readonly replicas: readonly NamedAddress[];
  readonly replicasDns: readonly DnsName[];
  readonly replicasService: readonly ServiceName[];
  /** Builds that one replica runs at once; 0 sets no limit. */
  readonly maxBuilds: number;
  /** Empty: `linux` on this machine's architecture. */
  readonly platforms: readonly string[];
}

/** The pool that there is without `pools`; the common addresses lead to it alone. */
export const DEFAULT_POOL = "default";

/** The pools of a configuration, in its order; without `pools` there is one that takes every connection. */
export function poolsOf({ pools, maxBuilds, platforms, ...outside }: Config): PoolConfig[] {
  const configured = Object.entries(pools).map(([name, pool]) => ({
    ...pool,
    name,
    maxBuilds: pool.maxBuilds ?? maxBuilds,
    platforms: pool.platforms ?? platforms,
  }));
  if (configured.length > 0) return configured;
  const { replicas, replicasDns, replicasService } = outside;
  const replicaSources = { replicas, replicasDns, replicasService };
  return [{ name: DEFAULT_POOL, listen: [], servernames: [], ...replicaSources, maxBuilds, platforms }];
}
