import type { HeaderField } from "./header-field.ts";

/** Fields that HTTP/2 does not have (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

const REQUEST_PSEUDO = new Set([":method", ":scheme", ":path", ":authority"]);
const RESPONSE_PSEUDO = new Set([":status"]);
const NO_PSEUDO = new Set<string>();

/** Octets that no field name may hold: controls, upper case, space, non-ASCII; a colon only in front (RFC 9113 §8.2.1). */
const BAD_NAME = /[^\x21-\x39\x3b-\x40\x5b-\x7e]/;

/** Octets that no field value may hold, and white space at its ends (RFC 9113 §8.2.1). */
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;

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
  if (method === "CONNECT") return undefined;
  if (scheme === "") return "no :scheme";
  if (path === "") return "no :path";
  // `*` is for OPTIONS alone. grpc-go before 1.79.3 adds what is missing (CVE-2026-33186), past every rule that names the path.
  if (path[0] !== "/" && path !== "*") return ":path without its slash";
  return undefined;
}

/** What makes a response's header list malformed (RFC 9113 §8.3.2), or `undefined`. */
export function responseFault(fields: readonly HeaderField[]): string | undefined {
  const fault = listFault(fields, RESPONSE_PSEUDO);
  if (fault) return fault;
  const status = fields[0];
  return status?.name === ":status" && /^\d{3}$/.test(status.value) ? undefined : "no :status";
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
