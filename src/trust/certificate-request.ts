import { isIP } from "node:net";

/** What a certificate is good for: its extended key usage (RFC 5280 §4.2.1.12). */
export type CertificatePurpose = "server" | "client";

/** A name that a certificate proves (RFC 5280 §4.2.1.6). */
export interface SubjectName {
  readonly t: "dns" | "ip" | "uri";
  readonly value: string;
}

/** What an authority is asked to certify. */
export interface CertificateRequest {
  /** Of the subject, 1 to 64 characters. */
  readonly commonName: string;
  readonly purpose: CertificatePurpose;
  /** A server is found under them; a client is told by them, or by its common name. At most {@link MAX_NAMES}. */
  readonly names: readonly SubjectName[];
}

/** A request with the name of what is made of it: a folder, or a Kubernetes Secret. */
export interface NamedRequest extends CertificateRequest {
  readonly name: string;
}

/** Names that one certificate may have. */
export const MAX_NAMES = 100;

/** Longest common name (RFC 5280 appendix A.1, ub-common-name). */
const MAX_COMMON_NAME = 64;

const MAX_DNS_NAME = 253;
const MAX_URI = 2_048;

/** A host name, or a wildcard for the names right below one (RFC 6125 §6.4.3). */
const DNS_NAME = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const URI = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i;

/** Read a name as people write it: a host name, an IP address or a URI. Throws an Error that says what is wrong. */
export function readSubjectName(text: string): SubjectName {
  const version = isIP(text);
  // An address with a zone names an interface of one machine (RFC 4007 §11), which no certificate can.
  if (version !== 0 && !text.includes("%")) return { t: "ip", value: text };
  if (URI.test(text) && text.length <= MAX_URI) return { t: "uri", value: text };
  const name = text.toLowerCase();
  if (DNS_NAME.test(name) && name.length <= MAX_DNS_NAME && version === 0) return { t: "dns", value: name };
  throw new Error(
    `not a name of a certificate: ${JSON.stringify(text)} (write a host name, *.domain, an address or a URI)`,
  );
}

/** The text as a common name. Throws an Error that says what is wrong. */
export function readCommonName(text: string): string {
  if (/^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(text) && text.length <= MAX_COMMON_NAME) return text;
  throw new Error(`not a common name: ${JSON.stringify(text)} (1 to ${MAX_COMMON_NAME} characters of ASCII)`);
}
