import { looksLikePem, readPem } from "../base/pem.ts";
import { MalformedDer, readElement } from "./der.ts";
import { certificatesOfPkcs7, isPkcs7 } from "./pkcs7.ts";
import { certificatesOfPkcs12, isPkcs12 } from "./pkcs12.ts";

/** A certificate as a file holds it. */
export interface FoundCertificate {
  readonly der: Uint8Array;
  /** The file's name, as it was given. */
  readonly file: string;
  /** Where in it: `line 12`, `certificate 3 of PKCS#7 at line 1`, `certificate 1`. */
  readonly position: string;
}

/** Something about a file that its owner should know. */
export interface FileRemark {
  readonly file: string;
  readonly position: string;
  readonly reason: string;
}

/** What a file came to: everything in it, or the first thing that is wrong with it. */
export type FileOutcome =
  | { readonly t: "found"; readonly certificates: readonly FoundCertificate[]; readonly remarks: readonly FileRemark[] }
  | { readonly t: "malformed"; readonly fault: FileRemark };

/** How a file is read. */
export interface ReadOptions {
  /** Most certificates to take. One more is a fault of the file. */
  readonly maxCertificates: number;
  /** Opens PKCS#12. Absent: such a file is a fault. */
  readonly password?: string;
}

/** A PEM label whose block is not a certificate and should not be where certificates are. */
const KEY_LABEL = /PRIVATE KEY$/;

/**
 * Find the certificates of a file, whatever its name: PEM with certificates or PKCS#7, DER of one
 * certificate or several, of PKCS#7 or of PKCS#12.
 *
 * What is wrong is a value. Time and memory stay in proportion to the file, and to the bound on PKCS#12's rounds.
 */
export async function findCertificates(file: string, bytes: Buffer, options: ReadOptions): Promise<FileOutcome> {
  try {
    if (looksLikePem(bytes)) return findInPem(file, bytes, options);
    if (bytes.length === 0) return malformed(file, "offset 0", "the file is empty");
    if (isPkcs12(bytes)) return await findInPkcs12(file, bytes, options);
    if (isPkcs7(bytes)) return found(file, certificatesOfPkcs7(bytes), (number) => `certificate ${number}`, options);
    return findInDer(file, bytes, options);
  } catch (reason) {
    if (reason instanceof MalformedDer) return malformed(file, `offset ${reason.offset}`, reason.message);
    throw reason;
  }
}

function findInPem(file: string, bytes: Buffer, options: ReadOptions): FileOutcome {
  // Keys and other blocks come on top of the certificates.
  const pem = readPem(bytes, options.maxCertificates * 2);
  if (pem.t === "malformed") return malformed(file, `line ${pem.line}`, pem.reason);
  const certificates: FoundCertificate[] = [];
  const remarks: FileRemark[] = [];
  for (const { label, line, der } of pem.blocks) {
    const position = `line ${line}`;
    try {
      if (label === "CERTIFICATE" || label === "X509 CERTIFICATE") certificates.push({ der, file, position });
      else if (label === "TRUSTED CERTIFICATE") {
        // OpenSSL's own form: the certificate, then what it is trusted for.
        certificates.push({ der: der.subarray(0, readElement(der, 0, der.length).end), file, position });
      } else if (label === "PKCS7" || label === "CMS") {
        for (const [index, inner] of certificatesOfPkcs7(der).entries()) {
          certificates.push({ der: inner, file, position: `certificate ${index + 1} of ${position}` });
        }
      } else {
        const what = KEY_LABEL.test(label) ? "a private key, which does not belong here" : "not a certificate";
        remarks.push({ file, position, reason: `left out: ${what} (${JSON.stringify(label.slice(0, 60))})` });
      }
    } catch (reason) {
      if (!(reason instanceof MalformedDer)) throw reason;
      return malformed(file, `${position}, offset ${reason.offset}`, reason.message);
    }
    if (certificates.length > options.maxCertificates) return tooMany(file, position, options);
  }
  return { t: "found", certificates, remarks };
}

async function findInPkcs12(file: string, bytes: Buffer, options: ReadOptions): Promise<FileOutcome> {
  if (options.password === undefined) return malformed(file, "offset 0", "PKCS#12, and no password file is given");
  const opened = await certificatesOfPkcs12(bytes, options.password);
  if (opened.t === "wrong_password") return malformed(file, "offset 0", "PKCS#12 does not open with this password");
  return found(file, opened.certificates, (number) => `certificate ${number}`, options);
}

function findInDer(file: string, bytes: Buffer, options: ReadOptions): FileOutcome {
  const certificates: FoundCertificate[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== 0x30) return malformed(file, `offset ${at}`, "neither PEM nor DER");
    const { end } = readElement(bytes, at, bytes.length);
    if (certificates.length === options.maxCertificates) return tooMany(file, `offset ${at}`, options);
    certificates.push({ der: bytes.subarray(at, end), file, position: `offset ${at}` });
    at = end;
  }
  return { t: "found", certificates, remarks: [] };
}

function found(
  file: string,
  ders: readonly Uint8Array[],
  positionOf: (number: number) => string,
  options: ReadOptions,
): FileOutcome {
  if (ders.length > options.maxCertificates) return tooMany(file, positionOf(options.maxCertificates + 1), options);
  const certificates = ders.map((der, index) => ({ der, file, position: positionOf(index + 1) }));
  return { t: "found", certificates, remarks: [] };
}

function tooMany(file: string, position: string, { maxCertificates }: ReadOptions): FileOutcome {
  return malformed(file, position, `more than ${maxCertificates} certificates`);
}

function malformed(file: string, position: string, reason: string): FileOutcome {
  return { t: "malformed", fault: { file, position, reason } };
}
