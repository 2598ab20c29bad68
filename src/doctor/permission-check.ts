import { reviewAccess } from "../kubernetes/access-review.ts";
import { ApiFailure } from "../kubernetes/api-failure.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { neededRole } from "../kubernetes/needed-role.ts";
import { qualifiedName, type Resource } from "../kubernetes/resource.ts";
import type { Answer } from "./steps.ts";

/** Something that a gateway must be allowed. */
export interface Permission {
  readonly resource: Resource;
  readonly verbs: readonly string[];
  /** What for: `to find replicas`. */
  readonly purpose: string;
}

/** Ask whether who asks is allowed something; if not, give the role that is missing. `user`: who that is, where known. */
export async function checkPermission(
  server: ApiServer,
  { resource, verbs, purpose }: Permission,
  user: string | undefined,
  signal: AbortSignal,
): Promise<Answer<never>> {
  const what = `${verbs.join(", ")} ${qualifiedName(resource)}`;
  const where = resource.namespace === undefined ? "in all namespaces" : `in ${resource.namespace}`;
  const who = user ?? "this account";
  try {
    const answers = await Promise.all(verbs.map((verb) => reviewAccess(server, resource, verb, signal)));
    const refused = verbs.filter((_, index) => !answers[index]!.isAllowed);
    if (refused.length === 0) return { outcome: { t: "ok", seen: `${who} may ${what} ${where}` } };
    const seen = `${who} may not ${refused.join(", ")} ${qualifiedName(resource)} ${where}, ${purpose}`;
    // The role is made for whom the server's own refusals name in these words.
    const manifest = neededRole(resource, verbs, user === undefined ? "" : `User "${user}" cannot`);
    return { outcome: { t: "failure", seen, fix: "apply this role with kubectl apply -f -", manifest } };
  } catch (reason) {
    if (!(reason instanceof ApiFailure)) throw reason;
    return { outcome: { t: "skipped", seen: `the API server does not say: ${reason.message}` } };
  }
}
