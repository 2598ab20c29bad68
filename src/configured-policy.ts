import type { Config } from "./config/schema.ts";
import { Policy } from "./identity/policy.ts";

/** The policy of a configuration; undefined where it has no rule. */
export function policyOf({ policy }: Pick<Config, "policy">): Policy | undefined {
  const rules = Object.entries(policy).map(
    ([name, { certificates, namespaces, workloads, repositories, workflows, ...rule }]) => ({
      name,
      who: { certificates, namespaces, workloads, repositories, workflows },
      allow: rule.allow,
      refuse: rule.refuse,
      entitlements: rule.entitlements,
      maxBuilds: rule.maxBuilds,
      pools: rule.pools,
      pool: rule.pool,
    }),
  );
  return rules.length === 0 ? undefined : new Policy(rules);
}
