import { GatewayError } from "../base/errors.ts";
import { describeMissing, type MissingReplica } from "../replicas/replica-survey.ts";

/** What an answer is when the part of a replica is missing: an error that names it, or the others' parts alone. */
export type MissingPolicy = "error" | "omit";

/** Answers that whoever configures the gateway may want otherwise. */
export type AnswerKind = "diskUsage" | "prune" | "history";

/** The policy for each kind of answer. */
export type MissingPolicies = Readonly<Record<AnswerKind, MissingPolicy>>;

/** What is to be said of missing parts, where the policy does not let them be. */
export function incompleteness(
  kind: AnswerKind,
  missing: readonly MissingReplica[],
  policies: MissingPolicies,
): GatewayError | undefined {
  if (missing.length === 0 || policies[kind] === "omit") return undefined;
  const text = `the answer would not be complete without ${describeMissing(missing)} (control.incomplete.${kind})`;
  return new GatewayError("replica_missing", text);
}

/** Throws {@link incompleteness}, where there is any. */
export function requireComplete(kind: AnswerKind, missing: readonly MissingReplica[], policies: MissingPolicies): void {
  const error = incompleteness(kind, missing, policies);
  if (error) throw error;
}
