import { X509Certificate } from "node:crypto";
import { readPem } from "./pem.ts";

/** Most blocks of one file. */
const MAX_BLOCKS = 10_000;

/**
 * The certificates of a PEM text, in its order.
 *
 * Throws an Error that names the line of what cannot be read: OpenSSL takes a file of authorities up to there, and
 * leaves out the rest without a word.
 */
export function pemCertificates(pem: Buffer | undefined): X509Certificate[] {
  if (pem === undefined) return [];
  const outcome = readPem(pem, MAX_BLOCKS);
  if (outcome.t === "malformed") throw new Error(`line ${outcome.line}: ${outcome.reason}`);
  const certificates = outcome.blocks.filter(({ label }) => /^(X509 )?CERTIFICATE$/.test(label));
  return certificates.map(({ der, line }) => {
    try {
      return new X509Certificate(der);
    } catch (cause) {
      throw new Error(`line ${line}: not a certificate`, { cause });
    }
  });
}
