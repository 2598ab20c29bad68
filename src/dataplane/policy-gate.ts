import { GatewayError } from "../base/errors.ts";
import { rpcName, UPDATE_HISTORY } from "../buildkit/rpc-name.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { type Caller, describeCaller } from "../identity/caller.ts";
import { allowsRpc, looksInto, type Policy, type PolicyRule, refusedEntitlement } from "../identity/policy.ts";
import type { RefusalLog } from "./refusal-log.ts";

/** A call that is looked at. */
export interface GatedCall {
  readonly path: string;
  readonly caller: Caller;
  readonly client: { readonly host: string };
}

/** Keeps from replicas what a policy does not allow. What it refuses is logged. */
export class PolicyGate {
  readonly #policy: Policy;
  readonly #log: RefusalLog;

  constructor(policy: Policy, log: RefusalLog) {
    this.#policy = policy;
    this.#log = log;
  }

  /** Why a call is refused, by its path. */
  refusal(call: GatedCall): GatewayError | undefined {
    return this.refusalByName(call, rpcName(call.path));
  }

  /** Why a call is refused, by the name of what it asks for. */
  refusalByName(call: GatedCall, name: string): GatewayError | undefined {
    const rule = this.#policy.ruleFor(call.caller);
    return !rule || allowsRpc(rule, { name, path: call.path }) ? undefined : this.#refuse(call, rule, name);
  }

  /** Whether it has to be read before it may pass: what it asks for says more than its path. */
  mustRead(call: GatedCall): boolean {
    const rule = call.path === UPDATE_HISTORY ? this.#policy.ruleFor(call.caller) : undefined;
    return rule !== undefined && looksInto(rule, rpcName(call.path));
  }

  /** Why a build is refused, by what it asks for. */
  refusalOfSolve(call: GatedCall, { entitlements }: SolveRequest): GatewayError | undefined {
    const rule = this.#policy.ruleFor(call.caller);
    const refused = rule && refusedEntitlement(rule, entitlements);
    return refused === undefined ? undefined : this.#refuse(call, rule!, `entitlement ${refused}`);
  }

  #refuse({ caller, client }: GatedCall, rule: PolicyRule, what: string): GatewayError {
    const reason = `policy rule ${JSON.stringify(rule.name)} does not allow ${what}`;
    this.#log.refused(client.host, reason, { rule: rule.name, ...describeCaller(caller) });
    return new GatewayError("not_allowed", reason);
  }
}
