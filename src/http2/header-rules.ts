import { type HeaderField, headerValue } from "./header-field.ts";

/** Fields that HTTP/2 does not have (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

const REQUEST_PSEUDO = new Set([":method", ":scheme", ":path", ":authority"]);
const RESPONSE_PSEUDO = new Set([":status"]);
const NO_PSEUDO = new Set<string>();

/** Octets that no field name may hold: controls, upper case, space, non-ASCII; a colon only in front (RFC 9113 §8.2.1). */
const BAD_NAME = /[^\x21-\x39\x3b-\x40\x5b-\x7e]/;

/** Octets that no field value may hold, and white space at its ends (RFC 9113 §8.2.1). */
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;

/** A length that a double holds exactly (RFC 9110 §8.6). */
const CONTENT_LENGTH = /^\d{1,15}$/;

/** What makes a request's header list malformed (RFC 9113 §8.3.1), or `undefined`. */
export function requestFault(fields: readonly HeaderField[]): string | undefined {
  const fault = listFault(fields, REQUEST_PSEUDO);
  if (fault) return fault;
  let method = "";
  let scheme = "";
  let path = "";
  for (const { name, value } of fields) {
    if (!name.startsWith(":")) break;
    if (name === ":method") method = value;
    else if (name === ":scheme") scheme = value;
    else if (name === ":path") path = value;
  }
  if (method === "") return "no :method";
  if (method === "CONNECT") return connectFault(fields, scheme, path);
  if (scheme === "") return "no :scheme";
  if (path === "") return "no :path";
  // grpc-go before 1.79.3 adds what is missing (CVE-2026-33186), past every rule that names the path.
  if (path[0] !== "/" && (path !== "*" || method !== "OPTIONS")) return ":path without its slash";
  return contentLengthFault(fields);
}

/** RFC 9113 §8.5. */
function connectFault(fields: readonly HeaderField[], scheme: string, path: string): string | undefined {
  if (scheme !== "" || path !== "") return "CONNECT with :scheme or :path";
  return fields.some(({ name }) => name === ":authority") ? undefined : "CONNECT without :authority";
}

/** What makes a response's header list malformed (RFC 9113 §8.3.2), or `undefined`. */
export function responseFault(fields: readonly HeaderField[]): string | undefined {
  const fault = listFault(fields, RESPONSE_PSEUDO);
  if (fault) return fault;
  const status = fields[0];
  if (status?.name !== ":status" || !/^\d{3}$/.test(status.value)) return "no :status";
  // HTTP/2 does not have it (RFC 9113 §8.6).
  if (status.value === "101") return ":status 101";
  return contentLengthFault(fields);
}

/** Whether a response's header list is an interim one, after which the real one comes (RFC 9113 §8.1). */
export function isInformational(fields: readonly HeaderField[]): boolean {
  const first = fields[0];
  return first?.name === ":status" && first.value.startsWith("1");
}

/**
 * How much content a message has by its header list, which is in order; -1
 * where that says nothing of it. A response that has no content may name the
 * length of one that has (RFC 9113 §8.1.1).
 */
export function promisedContentBytes(fields: readonly HeaderField[]): number {
  const value = headerValue(fields, "content-length");
  if (value === undefined) return -1;
  const status = headerValue(fields, ":status");
  return status === "204" || status === "304" || isInformational(fields) ? -1 : Number(value);
}

/** A `content-length` that is no length, or two that differ: no content is as long as that says. */
function contentLengthFault(fields: readonly HeaderField[]): string | undefined {
  let known: string | undefined;
  for (const { name, value } of fields) {
    if (name !== "content-length") continue;
    if (!CONTENT_LENGTH.test(value)) return "content-length that is no length";
    if (known !== undefined && known !== value) return "two content-lengths";
    known = value;
  }
  return undefined;
}

/** What makes trailers malformed (RFC 9113 §8.1), or `undefined`. */
export function trailersFault(fields: readonly HeaderField[]): string | undefined {
  return listFault(fields, NO_PSEUDO);
}

function listFault(fields: readonly HeaderField[], pseudo: ReadonlySet<string>): string | undefined {
  let regularSeen = false;
  let seen: string[] | undefined;
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) === 0x3a) {
      if (regularSeen) return `${printable(name)} after a regular field`;
      if (!pseudo.has(name)) return `pseudo-header ${printable(name)}`;
      if (seen?.includes(name)) return `${name} twice`;
      seen = seen ?? [];
      seen.push(name);
    } else {
      regularSeen = true;
      if (name === "" || BAD_NAME.test(name)) return `field name ${printable(name)}`;
      if (CONNECTION_SPECIFIC.has(name)) return `connection-specific field ${name}`;
      if (name === "te" && value.toLowerCase() !== "trailers") return "te other than trailers";
    }
    if (BAD_VALUE.test(value)) return `value of ${printable(name)}`;
  }
  return undefined;
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
