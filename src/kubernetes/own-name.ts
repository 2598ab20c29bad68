import { ApiFailure } from "./api-failure.ts";
import { type ApiServer, requestJson } from "./api-request.ts";

const PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

const MAX_ANSWER_BYTES = 262_144;

/**
 * Who the server takes us for: `system:serviceaccount:buildkit:gateway`. Servers before Kubernetes 1.28 do not tell
 * (kubernetes.io, "Authenticating", API access to authentication information for a client).
 *
 * Rejects with {@link ApiFailure}.
 */
export async function askOwnName(server: ApiServer, signal: AbortSignal): Promise<string> {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const body = { contentType: "application/json", text: JSON.stringify(review) };
  const answer = await requestJson(server, { method: "POST", path: PATH, body, signal }, MAX_ANSWER_BYTES);
  const { status } = (answer ?? {}) as { status?: { userInfo?: { username?: unknown } } };
  const name = status?.userInfo?.username;
  if (typeof name !== "string" || name.length > 253) throw new ApiFailure("unreadable", "the answer names nobody");
  return name;
}
