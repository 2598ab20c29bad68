import { ApiFailure } from "./api-failure.ts";
import { type ApiServer, requestJson } from "./api-request.ts";
import type { Resource } from "./resource.ts";

/** What the server says of a wish: `reason` is its own word, often empty. */
export interface AccessAnswer {
  readonly isAllowed: boolean;
  readonly reason: string;
}

const MAX_ANSWER_BYTES = 262_144;

const PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/**
 * Ask whether whoever asks may do something (kubernetes.io, "Authorization", Checking API access): everybody may ask that.
 *
 * Rejects with {@link ApiFailure}.
 */
export async function reviewAccess(
  server: ApiServer,
  { group, name, namespace }: Resource,
  verb: string,
  signal: AbortSignal,
): Promise<AccessAnswer> {
  const resourceAttributes = { group, resource: name, verb, ...(namespace !== undefined && { namespace }) };
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes },
  };
  const body = { contentType: "application/json", text: JSON.stringify(review) };
  const answer = await requestJson(server, { method: "POST", path: PATH, body, signal }, MAX_ANSWER_BYTES);
  const { status } = (answer ?? {}) as { status?: { allowed?: unknown; reason?: unknown } };
  if (typeof status?.allowed !== "boolean") throw new ApiFailure("unreadable", "the answer is no access review");
  return { isAllowed: status.allowed, reason: typeof status.reason === "string" ? status.reason : "" };
}
