import type { X509Certificate } from "node:crypto";
import { printable } from "../base/printable.ts";
import { MAX_CALLER_CHARACTERS } from "./caller.ts";

/** Names of one certificate that are looked at. */
const MAX_NAMES = 32;

/** How Node writes the kinds of a subject's alternative names (nodejs.org, crypto, x509.subjectAltName), and how we do. */
const KINDS: Readonly<Record<string, string>> = { URI: "uri", DNS: "dns", email: "email", "IP Address": "ip" };

/** One alternative name: Node quotes, as JSON, a value that could be taken for several. */
const ALTERNATIVE_NAME = /(?:^|, )([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,]*)/gy;

/** Certificates whose names are remembered: reading them costs a connection a tenth of its handshake. */
const MAX_REMEMBERED = 256;

/** Names by the certificate's fingerprint, oldest first. */
const remembered = new Map<string, readonly string[]>();

/**
 * The names that a certificate carries, each with its kind: URIs first, then
 * host names, e-mail and IP addresses, then the subject's common names
 * (`cn:`). At most 32, each cut at 256 characters.
 */
export function certificateNames(certificate: X509Certificate): readonly string[] {
  const fingerprint = certificate.fingerprint256;
  const known = remembered.get(fingerprint);
  if (known) return known;
  const names = readNames(certificate);
  remembered.set(fingerprint, names);
  if (remembered.size > MAX_REMEMBERED) {
    for (const oldest of remembered.keys()) {
      remembered.delete(oldest);
      break;
    }
  }
  return names;
}

function readNames(certificate: X509Certificate): readonly string[] {
  const alternatives = [...(certificate.subjectAltName ?? "").matchAll(ALTERNATIVE_NAME)].flatMap(([, kind, text]) =>
    KINDS[kind!] === undefined ? [] : [`${KINDS[kind!]}:${unquoted(text!)}`],
  );
  const order = Object.values(KINDS);
  alternatives.sort((one, other) => order.indexOf(kindOf(one)) - order.indexOf(kindOf(other)));
  const { CN = [] } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  const common = [CN].flat().map((name) => `cn:${name}`);
  return [...alternatives, ...common].slice(0, MAX_NAMES).map((name) => printable(name, MAX_CALLER_CHARACTERS));
}

function kindOf(name: string): string {
  return name.slice(0, name.indexOf(":"));
}

function unquoted(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}
