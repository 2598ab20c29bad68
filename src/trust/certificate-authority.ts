import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { type CertificateLife, encodeCertificate, signatureOf } from "./certificate-encoding.ts";
import type { CertificateRequest } from "./certificate-request.ts";

/** A certificate and its private key (PKCS #8), PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  /** End of its life. */
  readonly notAfter: Date;
}

/** EC on P-256, or RSA of 3,072 bits. */
export type KeyType = "ec" | "rsa";

/** An authority that can issue certificates. */
export interface CertificateAuthority {
  /** What a peer must trust, PEM: its certificate, and with an intermediate authority those above it. */
  readonly bundle: string;
  readonly notAfter: Date;
  /** Make a key and certify it. It lives no longer than the authority. */
  issue(request: CertificateRequest, keyType: KeyType, life: CertificateLife): Promise<KeyPair>;
}

/** An authority, or why there is none. */
export type AuthorityOutcome =
  | { readonly t: "authority"; readonly authority: CertificateAuthority }
  /** Which of its two files is at fault, and why. */
  | { readonly t: "refused"; readonly file: "cert" | "key"; readonly reason: string };

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const newKeyPair = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<{ readonly privateKey: KeyObject }>;

/** Make an authority with a key and a name of its own; `pair` is what must be kept to issue again. */
export async function createAuthority(
  name: string,
  keyType: KeyType,
  life: CertificateLife,
): Promise<{ readonly authority: CertificateAuthority; readonly pair: KeyPair }> {
  const key = await newKey(keyType);
  const der = encodeCertificate({ authority: name }, key, life, { key });
  const certificate = new X509Certificate(der);
  const pair = { cert: certificate.toString(), key: exportKey(key), notAfter: new Date(certificate.validTo) };
  return { authority: authorityOf(certificate, key, pair.cert), pair };
}

/**
 * Take an authority that there is, from its certificate and its private key, PEM.
 *
 * The first certificate of the file issues; others are of authorities above it. Refused is one that has expired or does
 * not hold yet at `now`, that may not certify, or that the key does not belong to. Never throws.
 */
export function readAuthority(cert: Buffer, keyPem: Buffer, now: Date): AuthorityOutcome {
  const refuse = (file: "cert" | "key", reason: string): AuthorityOutcome => ({ t: "refused", file, reason });
  const blocks = cert.toString("latin1").match(CERTIFICATES) ?? [];
  const certificates = blocks.map((block) => attempt(() => new X509Certificate(block)));
  const [certificate] = certificates;
  if (!certificate) return refuse("cert", "no certificate in PEM");
  if (certificates.includes(undefined)) return refuse("cert", "a certificate in it cannot be read");
  const subject = certificate.subject.replaceAll("\n", ", ");
  if (!certificate.ca) return refuse("cert", `not an authority's certificate: ${subject}`);
  if (now > new Date(certificate.validTo)) return refuse("cert", `expired on ${certificate.validTo}: ${subject}`);
  if (now < new Date(certificate.validFrom)) {
    return refuse("cert", `not valid before ${certificate.validFrom}: ${subject}`);
  }
  const key = attempt(() => createPrivateKey(keyPem));
  if (!key) return refuse("key", "no private key in PEM, or one with a passphrase");
  if (!signatureOf(key)) return refuse("key", `neither RSA nor EC on P-256, P-384 or P-521: ${key.asymmetricKeyType}`);
  if (!certificate.checkPrivateKey(key)) return refuse("key", `not the key of ${subject}`);
  return { t: "authority", authority: authorityOf(certificate, key, `${blocks.join("\n")}\n`) };
}

function authorityOf(certificate: X509Certificate, key: KeyObject, bundle: string): CertificateAuthority {
  const notAfter = new Date(certificate.validTo);
  const isRoot = certificate.checkIssued(certificate);
  return {
    bundle,
    notAfter,
    async issue(request, keyType, life) {
      const ownKey = await newKey(keyType);
      const shortLife = life.notAfter > notAfter ? { ...life, notAfter } : life;
      const der = encodeCertificate(request, ownKey, shortLife, { certificate: certificate.raw, key });
      const own = new X509Certificate(der);
      // A peer may know the root only, so an intermediate authority's certificate goes along.
      const cert = `${own.toString()}${isRoot ? "" : certificate.toString()}`;
      return { cert, key: exportKey(ownKey), notAfter: new Date(own.validTo) };
    },
  };
}

async function newKey(keyType: KeyType): Promise<KeyObject> {
  const { privateKey } =
    keyType === "ec"
      ? await newKeyPair("ec", { namedCurve: "P-256" })
      : await newKeyPair("rsa", { modulusLength: 3_072 });
  return privateKey;
}

function exportKey(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    // What OpenSSL says of bytes that are not what they should be helps nobody.
    return undefined;
  }
}
