import { X509Certificate } from "node:crypto";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, in its order. Throws Node's error on one that cannot be read. */
export function pemCertificates(pem: Buffer | undefined): X509Certificate[] {
  const texts = pem?.toString("latin1").match(CERTIFICATE) ?? [];
  return texts.map((text) => new X509Certificate(text));
}
