import { childrenOf, DerTag, MalformedDer, oidOf, readElement } from "./der.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";

/** Whether the structure says that it is PKCS#7 signed data. */
export function isPkcs7(bytes: Uint8Array): boolean {
  try {
    const [type] = childrenOf(bytes, readElement(bytes, 0, bytes.length));
    return oidOf(bytes, type) === SIGNED_DATA;
  } catch {
    return false;
  }
}

/**
 * The certificates of a PKCS#7 container as their own DER (RFC 2315 section 9.1: SignedData's `[0] certificates`).
 *
 * They are taken as they stand, so elliptic-curve ones come out like any other. Signatures, which a
 * container of certificates does not have, are not read. Throws {@link MalformedDer}.
 */
export function certificatesOfPkcs7(bytes: Uint8Array): Uint8Array[] {
  const outer = readElement(bytes, 0, bytes.length);
  const [type, content] = childrenOf(bytes, outer);
  if (oidOf(bytes, type) !== SIGNED_DATA) throw new MalformedDer("not PKCS#7 signed data", outer.start);
  const [signedData] = content?.tag === DerTag.CONTEXT_0 ? childrenOf(bytes, content) : [];
  if (signedData?.tag !== DerTag.SEQUENCE) throw new MalformedDer("no signed data in PKCS#7", outer.start);
  const certificates = childrenOf(bytes, signedData).find(({ tag }) => tag === DerTag.CONTEXT_0);
  if (certificates === undefined) return [];
  return childrenOf(bytes, certificates)
    .filter(({ tag }) => tag === DerTag.SEQUENCE)
    .map(({ start, end }) => bytes.subarray(start, end));
}
