import type { Caller } from "./caller.ts";
import { matchesCertificate, matchesPattern } from "./name-pattern.ts";

/** Whom a rule is for: who matches a pattern of each kind that is given. Without any: everybody. */
export interface RuleSubject {
  readonly certificates: readonly string[];
  readonly namespaces: readonly string[];
  readonly workloads: readonly string[];
  readonly repositories: readonly string[];
  readonly workflows: readonly string[];
}

/** What some callers may do. */
export interface PolicyRule {
  readonly name: string;
  readonly who: RuleSubject;
  /** RPCs that alone may be called; `undefined`: all. `*` stands for any characters. */
  readonly allow: readonly string[] | undefined;
  /** RPCs that may not be called, of those that may. */
  readonly refuse: readonly string[];
  /** Entitlements that a build may ask for; `undefined`: all that the replicas grant. */
  readonly entitlements: readonly string[] | undefined;
  /** Builds that one caller may run at once; 0: any number. */
  readonly maxBuilds: number;
  /** Pools that may be used; `undefined`: all. */
  readonly pools: readonly string[] | undefined;
  /** Pool that the builds go to, whatever address or name they came by. */
  readonly pool: string | undefined;
}

/** Decides what callers may do: the first rule that is for one counts; where none is, everything is allowed. */
export class Policy {
  readonly rules: readonly PolicyRule[];

  constructor(rules: readonly PolicyRule[]) {
    this.rules = rules;
  }

  /** The rule for a caller. */
  ruleFor(caller: Caller): PolicyRule | undefined {
    return this.rules.find(({ who }) => isFor(who, caller));
  }
}

/** An RPC as a rule may speak of it. */
export interface RuledRpc {
  /** As in `Prune`, or with what it asks for as in `UpdateBuildHistory.Delete`. */
  readonly name: string;
  /** As in `/moby.buildkit.v1.Control/Prune`. */
  readonly path: string;
}

/**
 * Whether a rule lets an RPC be called. Where only a part of what an RPC may
 * ask for is allowed, the RPC as such is.
 */
export function allowsRpc({ allow, refuse }: PolicyRule, { name, path }: RuledRpc): boolean {
  const isNamed = (patterns: readonly string[]) =>
    patterns.some(
      (pattern) => matchesPattern(name, pattern) || matchesPattern(path, pattern) || name.startsWith(`${pattern}.`),
    );
  const isInPart = allow?.some((pattern) => pattern.startsWith(`${name}.`)) === true;
  return (allow === undefined || isNamed(allow) || isInPart) && !isNamed(refuse);
}

/** Whether what a rule says of an RPC depends on what the call asks for. */
export function looksInto({ allow = [], refuse }: PolicyRule, name: string): boolean {
  return [...allow, ...refuse].some((pattern) => pattern.startsWith(`${name}.`));
}

/** The first of the entitlements that a build asks for which a rule does not grant. `device` grants `device=…` too. */
export function refusedEntitlement({ entitlements }: PolicyRule, asked: readonly string[]): string | undefined {
  if (entitlements === undefined) return undefined;
  return asked.find(
    (one) => !entitlements.some((pattern) => matchesPattern(one, pattern) || one.startsWith(`${pattern}=`)),
  );
}

function isFor(who: RuleSubject, caller: Caller): boolean {
  const { certificateNames = [], namespace, workload, repository, workflow } = caller;
  const matches = (patterns: readonly string[], text: string | undefined) =>
    patterns.length === 0 || (text !== undefined && patterns.some((pattern) => matchesPattern(text, pattern)));
  return (
    (who.certificates.length === 0 ||
      who.certificates.some((pattern) => matchesCertificate(certificateNames, pattern))) &&
    matches(who.namespaces, namespace) &&
    matches(who.workloads, workload) &&
    matches(who.repositories, repository) &&
    matches(who.workflows, workflow)
  );
}
