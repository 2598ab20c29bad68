import type { StoredType } from "./stored-object.ts";

/** An answer that is not what was asked for, as a v1.30 server gives it. */
export interface StatusAnswer {
  readonly status: number;
  /** A Status object, or plain text. */
  readonly body: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

function statusAnswer(status: number, reason: string, message: string, more: object = {}): StatusAnswer {
  const base = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason };
  return { status, body: { ...base, ...more, code: status } };
}

export const UNAUTHORIZED = statusAnswer(401, "Unauthorized", "Unauthorized");

export const UNKNOWN_TYPE: StatusAnswer = { status: 404, body: "404 page not found\n" };

export const INTERNAL_ERROR = statusAnswer(500, "InternalError", "Internal error occurred: etcdserver: leader changed");

/** As priority and fairness gives it. */
export function tooManyRequests(retryAfterSeconds: number): StatusAnswer {
  const headers = { "retry-after": String(retryAfterSeconds) };
  return { status: 429, body: "Too many requests, please try again later.\n", headers };
}

export function forbidden(type: StoredType, verb: string, user: string, namespace: string | undefined): StatusAnswer {
  const qualified = type.group === "" ? type.plural : `${type.plural}.${type.group}`;
  const scope = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const message = `${qualified} is forbidden: User "${user}" cannot ${verb} resource "${type.plural}" in API group "${type.group}" ${scope}`;
  return statusAnswer(403, "Forbidden", message, { details: { group: type.group, kind: type.plural } });
}

export function noSuchObject(type: StoredType, name: string): StatusAnswer {
  const qualified = type.group === "" ? type.plural : `${type.plural}.${type.group}`;
  const details = { name, group: type.group, kind: type.plural };
  return statusAnswer(404, "NotFound", `${qualified} "${name}" not found`, { details });
}

export function uidConflict(type: StoredType, name: string, expected: string, actual: string): StatusAnswer {
  const message = `Operation cannot be fulfilled on ${type.plural} "${name}": Precondition failed: UID in precondition: ${expected}, UID in object meta: ${actual}`;
  return statusAnswer(409, "Conflict", message, { details: { name, kind: type.plural } });
}

export function expiredVersion(asked: number, oldest: number): StatusAnswer {
  return statusAnswer(410, "Expired", `too old resource version: ${asked} (${oldest})`);
}

export function expiredContinue(fresh: string): StatusAnswer {
  const message =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
  return statusAnswer(410, "Expired", message, { metadata: { continue: fresh } });
}
