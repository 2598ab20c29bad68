import { isIP } from "node:net";
import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** A host name as TLS clients send it (RFC 6066 §3), or `*.` and the rest of one. */
const SERVERNAME = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Names that TLS clients ask for, in lower case. */
export function servernameList() {
  const label = "host name, or *.domain";
  return list(value(label, readServername), { label, writeItem: String }, (name) => [`name ${quote(name)}`]);
}

function readServername(input: unknown): string {
  const name = typeof input === "string" && input.length <= 253 ? input.toLowerCase() : "";
  if (!SERVERNAME.test(name))
    throw new Error(`not a server name: ${quote(input)} (write amd64.ci.example or *.example)`);
  if (isIP(name) !== 0) throw new Error(`an address, which TLS clients never ask for by name: ${quote(input)}`);
  return name;
}
