import { X509Certificate } from "node:crypto";
import { readCertificateFields } from "./certificate-fields.ts";
import type { FoundCertificate } from "./certificate-file.ts";
import { MalformedDer } from "./der.ts";

/** A certificate that may stand in a bundle. */
export interface Authority {
  readonly x509: X509Certificate;
  /** Of its DER, lower-case hexadecimal without separators. */
  readonly sha256: string;
  /** For people, one line: `CN=sonda-red, O=Sonda`. */
  readonly subject: string;
  readonly notAfter: Date;
  /** Its issuer is itself, and its signature is its own. */
  readonly isSelfSigned: boolean;
}

/** What a check of one certificate came to. */
export type AuthorityOutcome =
  /** `remarks`: what its owner should know. */
  | { readonly t: "accepted"; readonly authority: Authority; readonly remarks: readonly string[] }
  /** It would do no good: it is left out, which is a warning. */
  | { readonly t: "left_out"; readonly reason: string }
  /** It would do harm, or is not what it was given as: an error. */
  | { readonly t: "refused"; readonly reason: string };

const MIN_RSA_BITS = 2_048;

/** Curves that Go's crypto/x509 reads; it skips certificates with any other (go/src/crypto/x509/x509.go, oidNamedCurve*). */
const GO_CURVES = ["secp224r1", "prime256v1", "secp384r1", "secp521r1"];

/**
 * Check whether a certificate may be trusted as an authority at `now`.
 *
 * Refused: what cannot be read, no authority, a key below RSA 2048 or of another kind than RSA, EC, Ed25519, a signature
 * with MD5 or SHA-1 by somebody else (nobody checks a root's own). Left out: expired. Accepted with a remark: not yet
 * valid, a self-signed version 1 certificate, which cannot say that it is an authority, a curve that Go cannot read.
 */
export function checkAuthority(found: FoundCertificate, now: Date): AuthorityOutcome {
  let x509: X509Certificate;
  let fields: ReturnType<typeof readCertificateFields>;
  let key: X509Certificate["publicKey"];
  try {
    x509 = new X509Certificate(found.der);
    fields = readCertificateFields(x509.raw);
    if (x509.raw.length !== found.der.length) return { t: "refused", reason: "more bytes than its certificate has" };
    key = x509.publicKey;
  } catch (reason) {
    const detail = reason instanceof MalformedDer ? `: ${reason.message} at offset ${reason.offset}` : "";
    return { t: "refused", reason: `not a certificate that OpenSSL reads${detail}` };
  }
  const isSelfSigned = x509.subject === x509.issuer && verifies(x509, key);
  const subject = oneLine(x509.subject);
  const notAfter = new Date(x509.validTo);
  const refused = (reason: string): AuthorityOutcome => ({ t: "refused", reason: `${reason}: ${subject}` });

  if (!x509.ca && !(fields.version === 1 && isSelfSigned)) return refused("not a certificate authority");
  const keyFault = faultOfKey(key);
  if (keyFault !== undefined) return refused(keyFault);
  if (fields.isWeakSignature && !isSelfSigned) return refused(`signed with ${fields.signatureAlgorithm}`);
  if (notAfter < now) return { t: "left_out", reason: `expired on ${day(notAfter)}: ${subject}` };

  const remarks: string[] = [];
  const notBefore = new Date(x509.validFrom);
  if (notBefore > now) remarks.push(`not valid before ${notBefore.toISOString()}: ${subject}`);
  if (fields.version === 1) remarks.push(`version 1, which cannot say whether it is an authority: ${subject}`);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve !== undefined && !GO_CURVES.includes(curve)) {
    remarks.push(`curve ${curve}, which BuildKit and other Go programs cannot read: ${subject}`);
  }
  const sha256 = x509.fingerprint256.replaceAll(":", "").toLowerCase();
  return { t: "accepted", authority: { x509, sha256, subject, notAfter, isSelfSigned }, remarks };
}

/** `2031-02-03`, in UTC. */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** A distinguished name as Node writes it, one part a line, on one line of printable characters. */
export function oneLine(name: string): string {
  const line = name.split("\n").reverse().join(", ").replace(/\p{C}/gu, "?");
  return line.length > 200 ? `${line.slice(0, 199)}…` : line || "(no subject)";
}

function verifies(x509: X509Certificate, key: X509Certificate["publicKey"]): boolean {
  try {
    return x509.verify(key);
  } catch {
    return false;
  }
}

function faultOfKey(key: X509Certificate["publicKey"]): string | undefined {
  const type = key.asymmetricKeyType;
  if (type === "ec" || type === "ed25519") return undefined;
  if (type !== "rsa" && type !== "rsa-pss") return `a key of kind ${type ?? "unknown"}`;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return bits < MIN_RSA_BITS ? `an RSA key of ${bits} bits, less than ${MIN_RSA_BITS}` : undefined;
}
