import { printable } from "../base/printable.ts";
import { ApiFailure, kindOfStatus } from "./api-failure.ts";

/** Longest reason that is passed on; a server's own messages have at most some hundred characters. */
const MAX_REASON_CHARACTERS = 600;

/** Longest wait that a server may ask for. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * The failure that an answer other than success means.
 *
 * `body` is a Status object (kubernetes/apimachinery, meta/v1 types.go, Status) or
 * the plain text of something in front of the API server; `retryAfter` is the
 * header of that name, in seconds.
 */
export function failureOfAnswer(status: number, body: unknown, retryAfter?: string): ApiFailure {
  const message = statusMessage(body);
  const said = message === "" ? "" : `: ${message}`;
  const text = status >= 300 && status < 400 ? "redirects are not followed" : `${status}${said}`;
  const retryAfterMs = readRetryAfter(retryAfter) ?? readRetryAfter(statusDetails(body).retryAfterSeconds);
  return new ApiFailure(kindOfStatus(status), printable(text, MAX_REASON_CHARACTERS), {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The failure that an ERROR event of a watch carries. */
export function failureOfEvent(object: unknown): ApiFailure {
  const code = isRecord(object) && typeof object.code === "number" ? object.code : 500;
  return failureOfAnswer(code, object);
}

/** Who was refused, as the message of a 403 names them: `system:serviceaccount:buildkit:gateway`. */
export function refusedUser(message: string): string | undefined {
  return /User "([^"]{1,253})" cannot/.exec(message)?.[1];
}

function statusMessage(body: unknown): string {
  if (typeof body === "string") return body.trim();
  return isRecord(body) && typeof body.message === "string" ? body.message : "";
}

function statusDetails(body: unknown): { readonly retryAfterSeconds?: unknown } {
  return isRecord(body) && isRecord(body.details) ? body.details : {};
}

/** Seconds; the other form of the header, a date, is not used by API servers. */
function readRetryAfter(seconds: unknown): number | undefined {
  const number = typeof seconds === "string" && /^\d{1,9}$/.test(seconds.trim()) ? Number(seconds) : seconds;
  if (typeof number !== "number" || !(number > 0)) return undefined;
  return Math.min(number * 1_000, MAX_RETRY_AFTER_MS);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
