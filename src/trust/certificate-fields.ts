import { childrenOf, type DerElement, DerTag, oidOf, readElement } from "./der.ts";

/** What Node's X509Certificate does not tell of a certificate. */
export interface CertificateFields {
  /** 1 or 3; 2 was never used. */
  readonly version: number;
  /** The signature algorithm's name, such as `sha1WithRSAEncryption`; its dotted number where it is not a known one. */
  readonly signatureAlgorithm: string;
  /** Whether its hash is MD2, MD5 or SHA-1, which forgers can collide. */
  readonly isWeakSignature: boolean;
}

const WEAK_SIGNATURES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
  "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
  "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
  "1.3.14.3.2.29": "sha1WithRSASignature",
  "1.2.840.10040.4.3": "dsa-with-sha1",
  "1.2.840.10045.4.1": "ecdsa-with-SHA1",
};

const STRONG_SIGNATURES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
  "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
  "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
  "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
  "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
  "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
  "1.3.101.112": "Ed25519",
};

const RSA_PSS = "1.2.840.113549.1.1.10";
const SHA1 = "1.3.14.3.2.26";

/** Read a certificate's fields out of its DER (RFC 5280 section 4.1). Throws `MalformedDer`. */
export function readCertificateFields(der: Uint8Array): CertificateFields {
  const certificate = readElement(der, 0, der.length);
  const [body, algorithm] = childrenOf(der, certificate);
  const [first] = body === undefined ? [] : childrenOf(der, body);
  const hasVersion = first?.tag === DerTag.CONTEXT_0;
  const version = hasVersion ? der[first.contentEnd - 1]! + 1 : 1;
  const [oid, parameters] = algorithm === undefined ? [] : childrenOf(der, algorithm);
  const number = oidOf(der, oid);
  if (number === RSA_PSS) {
    const isWeakSignature = pssHash(der, parameters) === SHA1;
    return { version, signatureAlgorithm: isWeakSignature ? "RSASSA-PSS with SHA-1" : "RSASSA-PSS", isWeakSignature };
  }
  const weakName = WEAK_SIGNATURES[number];
  const signatureAlgorithm = weakName ?? STRONG_SIGNATURES[number] ?? number;
  return { version, signatureAlgorithm, isWeakSignature: weakName !== undefined };
}

/** The hash of RSASSA-PSS-params (RFC 4055 section 3.1): SHA-1 where it is left out. */
function pssHash(der: Uint8Array, parameters: DerElement | undefined): string {
  if (parameters?.tag !== DerTag.SEQUENCE) return SHA1;
  const hash = childrenOf(der, parameters).find(({ tag }) => tag === DerTag.CONTEXT_0);
  const [algorithm] = hash === undefined ? [] : childrenOf(der, hash);
  const [oid] = algorithm === undefined ? [] : childrenOf(der, algorithm);
  return oid === undefined ? SHA1 : oidOf(der, oid);
}
