/** What a TLS 1.2 server asks of its client. */
export type CertificateRequest =
  /** `authorities`: distinguished names in DER; none: a certificate of anybody's. */
  { readonly t: "asked"; readonly authorities: readonly Uint8Array[] } | { readonly t: "not_asked" };

/** Content type of handshake records (RFC 5246 section 6.2.1). */
const HANDSHAKE_RECORD = 0x16;

/** Handshake messages (RFC 5246 section 7.4). */
const CERTIFICATE_REQUEST = 13;
const SERVER_HELLO_DONE = 14;

const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;

/**
 * Read whether a server asks for a client certificate, and of which authorities, from the bytes that it sends in a TLS
 * 1.2 handshake (RFC 5246 section 7.4.4): later versions encrypt them.
 *
 * Undefined: the answer is not among these bytes, or they are no such handshake.
 */
export function readCertificateRequest(bytes: Buffer): CertificateRequest | undefined {
  const handshake = handshakeOf(bytes);
  let at = 0;
  while (at + MESSAGE_HEADER_BYTES <= handshake.length) {
    const type = handshake[at]!;
    const end = at + MESSAGE_HEADER_BYTES + handshake.readUIntBE(at + 1, 3);
    if (end > handshake.length) return undefined;
    if (type === SERVER_HELLO_DONE) return { t: "not_asked" };
    if (type === CERTIFICATE_REQUEST) return readRequest(handshake.subarray(at + MESSAGE_HEADER_BYTES, end));
    at = end;
  }
  return undefined;
}

/** The content of all whole handshake records before any other. */
function handshakeOf(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + RECORD_HEADER_BYTES <= bytes.length && bytes[at] === HANDSHAKE_RECORD) {
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    if (end > bytes.length) break;
    parts.push(bytes.subarray(at + RECORD_HEADER_BYTES, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** Types of certificates, signature algorithms, and the authorities: each list with its length before it. */
function readRequest(body: Buffer): CertificateRequest | undefined {
  const algorithmsAt = 1 + (body[0] ?? 0);
  if (algorithmsAt + 2 > body.length) return undefined;
  const namesAt = algorithmsAt + 2 + body.readUInt16BE(algorithmsAt);
  if (namesAt + 2 > body.length) return undefined;
  const authorities: Uint8Array[] = [];
  let at = namesAt + 2;
  while (at + 2 <= body.length) {
    const end = at + 2 + body.readUInt16BE(at);
    if (end > body.length) return undefined;
    authorities.push(body.subarray(at + 2, end));
    at = end;
  }
  return { t: "asked", authorities };
}
