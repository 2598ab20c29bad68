import { GatewayError } from "./base/errors.ts";
import type { PoolChoice, SwitchPool } from "./dataplane/switch-options.ts";
import type { Policy } from "./identity/policy.ts";

/** A pool, as clients come to it. */
export interface ChoosablePool {
  readonly pool: { readonly name: string; readonly side: SwitchPool };
  /** Addresses of its own. */
  readonly listen: readonly unknown[];
  /** Names that lead to it on the common addresses, in lower case; `*.domain` stands for every name right below it. */
  readonly servernames: readonly string[];
}

/** Leads clients of the common addresses to the pool that their TLS hello names, or to the only one there is. */
export function commonChoice(pools: readonly ChoosablePool[]): PoolChoice {
  const only = pools.length === 1 && pools[0]!.listen.length === 0 && pools[0]!.servernames.length === 0;
  if (only) return () => pools[0]!.pool.side;
  return (servername) => {
    const name = servername?.toLowerCase() ?? "";
    const parent = name.replace(/^[^.]*/, "*");
    const named = pools.find(({ servernames }) => servernames.includes(name));
    const found = named ?? pools.find(({ servernames }) => servernames.includes(parent));
    if (found) return found.pool.side;
    const asked = name === "" ? "the client asked for no name" : `none is called ${JSON.stringify(name)}`;
    return new GatewayError("invalid_request", `this address leads to pools by TLS server name: ${asked}`);
  };
}

/** Leads clients to the pool that their policy rule sends them to, and from pools that it does not let them use. */
export function allowedChoice(
  pools: readonly ChoosablePool[],
  policy: Policy | undefined,
  usual: PoolChoice,
): PoolChoice {
  if (!policy) return usual;
  return (servername, caller) => {
    const rule = policy.ruleFor(caller);
    const sentTo = pools.find(({ pool }) => pool.name === rule?.pool);
    if (sentTo) return sentTo.pool.side;
    const chosen = usual(servername, caller);
    const name = pools.find(({ pool }) => pool.side === chosen)?.pool.name;
    if (name === undefined || rule?.pools === undefined || rule.pools.includes(name)) return chosen;
    const reason = `policy rule ${JSON.stringify(rule.name)} does not allow pool ${name}`;
    return new GatewayError("not_allowed", reason);
  };
}
