import type { X509Certificate } from "node:crypto";
import { printable } from "../base/printable.ts";
import { childrenOf, DerTag, MalformedDer, oidOf, readElement } from "../trust/der.ts";

/** Attribute types as OpenSSL writes them (RFC 4519 section 2, RFC 2985). */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

const MAX_NAME_CHARACTERS = 200;

/** A distinguished name in DER, for people: `CN=sonda-red, O=Sonda`. What cannot be read is said to be so. */
export function describeName(der: Uint8Array): string {
  try {
    const parts = childrenOf(der, readElement(der, 0, der.length)).flatMap((set) =>
      childrenOf(der, set).map((pair) => {
        const [type, value] = childrenOf(der, pair);
        const oid = oidOf(der, type);
        const text = value ? Buffer.from(der.subarray(value.contentStart, value.contentEnd)).toString("utf8") : "";
        return `${SHORT_NAMES[oid] ?? oid}=${text}`;
      }),
    );
    return printable(parts.reverse().join(", ") || "(no name)", MAX_NAME_CHARACTERS);
  } catch (reason) {
    if (reason instanceof MalformedDer) return "(a name that cannot be read)";
    throw reason;
  }
}

/** The issuer's name as a certificate has it, in DER (RFC 5280 section 4.1.2.4); empty where it cannot be read. */
export function issuerName({ raw }: X509Certificate): Uint8Array {
  try {
    const [body] = childrenOf(raw, readElement(raw, 0, raw.length));
    const fields = childrenOf(raw, body!);
    const issuer = fields[fields[0]?.tag === DerTag.CONTEXT_0 ? 3 : 2];
    return issuer ? raw.subarray(issuer.start, issuer.end) : new Uint8Array();
  } catch (reason) {
    if (reason instanceof MalformedDer) return new Uint8Array();
    throw reason;
  }
}
