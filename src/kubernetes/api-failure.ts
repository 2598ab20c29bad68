/**
 * What kind of failure a request to an API server met:
 * - `unauthorized`: it does not know who asks (401).
 * - `forbidden`: who asks may not (403).
 * - `missing`: it serves no such type or has no such object (404).
 * - `gone`: it has forgotten that resource version or continue token (410).
 * - `conflict`: the object is not as the request assumed (409).
 * - `refused`: any other answer that asking again does not change.
 * - `busy`: it cannot answer now (429, 5xx).
 * - `unreachable`: no answer, or one that was cut off.
 * - `unreadable`: an answer that is not what the API says, or is larger than may be.
 */
export type FailureKind =
  | "unauthorized"
  | "forbidden"
  | "missing"
  | "gone"
  | "conflict"
  | "refused"
  | "busy"
  | "unreachable"
  | "unreadable";

/** A request to an API server that failed. The message is for people, and holds no secret. */
export class ApiFailure extends Error {
  readonly kind: FailureKind;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options);
    this.name = "ApiFailure";
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The kind of failure that an HTTP status means. */
export function kindOfStatus(status: number): FailureKind {
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "missing";
    case 409:
      return "conflict";
    case 410:
      return "gone";
    case 429:
      return "busy";
    default:
      return status >= 500 ? "busy" : "refused";
  }
}
