import { rfc3339 } from "../buildkit/daemon-time.ts";
import { field, responseHeaders } from "../http2/grpc-status.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";

/** Fields of a response's beginning, which trailers must not repeat. */
const RESPONSE_ONLY = new Set([":status", "content-type"]);

/** What is left of a response of trailers alone, where the gateway has begun the response already. */
export function trailersOf(fields: readonly HeaderField[]): HeaderField[] {
  return fields.filter(({ name }) => !RESPONSE_ONLY.has(name));
}

/** Whether a header list ends a gRPC call well. */
export function isSuccess(fields: readonly HeaderField[]): boolean {
  return headerValue(fields, "grpc-status") === "0";
}

/** How the gateway begins a Status: BuildKit's clients take the difference of their clock and the daemon's from it. */
export function statusHeaders(now: Date): HeaderField[] {
  return responseHeaders([field("buildkit-current-timestamp", rfc3339(now))]);
}
