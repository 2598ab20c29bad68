import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import type { CertificateRequest, SubjectName } from "./certificate-request.ts";

/** From when to when a certificate holds. Whole seconds count. */
export interface CertificateLife {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Who signs. */
export interface CertificateIssuer {
  /** Absent: the certificate is its own issuer's. */
  readonly certificate?: Buffer;
  /** Private; RSA, or EC on a curve of {@link signatureOf}. */
  readonly key: KeyObject;
}

/** How a key signs certificates. */
interface SignatureScheme {
  readonly hash: string;
  readonly algorithm: AlgorithmIdentifier;
}

const COMMON_NAME = "2.5.4.3";

/** NULL in DER: what RSA algorithms have as parameters (RFC 4055 §5). */
const DER_NULL = new Uint8Array([5, 0]).buffer;

/** By what OpenSSL calls the curve (RFC 5758 §3.2). */
const EC_SIGNATURES: ReadonlyMap<string | undefined, readonly [hash: string, oid: string]> = new Map([
  ["prime256v1", ["sha256", "1.2.840.10045.4.3.2"]],
  ["secp384r1", ["sha384", "1.2.840.10045.4.3.3"]],
  ["secp521r1", ["sha512", "1.2.840.10045.4.3.4"]],
]);

/** How a key signs: RSA or an NIST curve, with a hash of its strength. Undefined for any other. */
export function signatureOf(key: KeyObject): SignatureScheme | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa") {
    const algorithm = new AlgorithmIdentifier({ algorithm: "1.2.840.113549.1.1.11", parameters: DER_NULL });
    return { hash: "sha256", algorithm };
  }
  const [hash, oid] = (type === "ec" && EC_SIGNATURES.get(details?.namedCurve)) || [];
  return hash && oid ? { hash, algorithm: new AlgorithmIdentifier({ algorithm: oid }) } : undefined;
}

/**
 * Make a certificate (RFC 5280 §4.1), DER, for `subjectKey`: an authority's that may certify servers and clients but no
 * further authority, or that of a request.
 *
 * The issuer's key has a {@link signatureOf}.
 */
export function encodeCertificate(
  subject: { readonly authority: string } | CertificateRequest,
  subjectKey: KeyObject,
  life: CertificateLife,
  issuer: CertificateIssuer,
): Buffer {
  const { hash, algorithm } = signatureOf(issuer.key)!;
  const commonName = "authority" in subject ? subject.authority : subject.commonName;
  const own = distinguishedName(commonName);
  const above = issuer.certificate && AsnConvert.parse(issuer.certificate, Certificate).tbsCertificate;
  const publicKey = AsnConvert.parse(
    createPublicKey(subjectKey).export({ type: "spki", format: "der" }),
    SubjectPublicKeyInfo,
  );
  const issuerKeyId = above?.extensions?.find(({ extnID }) => extnID === id_ce_subjectKeyIdentifier);
  const extensions = [
    ...("authority" in subject ? authorityExtensions() : requestExtensions(subject, subjectKey)),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(publicKey))),
  ];
  if (issuerKeyId) {
    const keyIdentifierOfIssuer = AsnConvert.parse(issuerKeyId.extnValue.buffer, SubjectKeyIdentifier);
    const authorityKey = new AuthorityKeyIdentifier({ keyIdentifier: keyIdentifierOfIssuer });
    extensions.push(extension(id_ce_authorityKeyIdentifier, authorityKey));
  }
  const body = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: algorithm,
    issuer: above?.subject ?? own,
    validity: new Validity(life),
    subject: own,
    subjectPublicKeyInfo: publicKey,
    extensions: new Extensions(extensions),
  });
  const signature = sign(hash, Buffer.from(AsnConvert.serialize(body)), issuer.key);
  const certificate = new Certificate({
    tbsCertificate: body,
    signatureAlgorithm: algorithm,
    signatureValue: arrayBuffer(signature),
  });
  return Buffer.from(AsnConvert.serialize(certificate));
}

function authorityExtensions(): Extension[] {
  const constraints = new BasicConstraints({ cA: true, pathLenConstraint: 0 });
  const usage = new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
  return [extension(id_ce_basicConstraints, constraints, true), extension(id_ce_keyUsage, usage, true)];
}

function requestExtensions({ purpose, names }: CertificateRequest, key: KeyObject): Extension[] {
  // TLS 1.2 still encrypts to RSA keys where both sides want that.
  const encipherment = key.asymmetricKeyType === "rsa" ? KeyUsageFlags.keyEncipherment : 0;
  const usage = new KeyUsage(KeyUsageFlags.digitalSignature | encipherment);
  const purposes = new ExtendedKeyUsage([purpose === "server" ? id_kp_serverAuth : id_kp_clientAuth]);
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints(), true),
    extension(id_ce_keyUsage, usage, true),
    extension(id_ce_extKeyUsage, purposes),
  ];
  if (names.length === 0) return extensions;
  return [...extensions, extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(generalName)))];
}

function generalName({ t, value }: SubjectName): GeneralName {
  if (t === "dns") return new GeneralName({ dNSName: value });
  return new GeneralName(t === "ip" ? { iPAddress: value } : { uniformResourceIdentifier: value });
}

function distinguishedName(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** 127 random bits, so that it is positive and its encoding has at most 20 octets (RFC 5280 §4.1.2.2). */
function serialNumber(): ArrayBuffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return arrayBuffer(bytes);
}

/** RFC 5280 §4.2.1.2, method 1: SHA-1 as a name, which proves nothing. */
function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return arrayBuffer(createHash("sha1").update(Buffer.from(subjectPublicKey)).digest());
}

function arrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
