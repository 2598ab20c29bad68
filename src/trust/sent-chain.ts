import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

/** Most certificates that are taken from a server. */
const MAX_CHAIN = 20;

/**
 * The certificates of a server, its own first. What it sent and nothing else where the connection was made without a
 * root; else with those that OpenSSL added.
 */
export function sentChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(next.raw));
    const { issuerCertificate }: DetailedPeerCertificate = next;
    // A self-signed certificate is its own issuer.
    next = issuerCertificate === next ? undefined : issuerCertificate;
  }
  return chain;
}

/** OpenSSL's word against a chain, such as `INVALID_PURPOSE`; absent where it has none. */
export function objectionTo({ authorized, authorizationError }: TLSSocket): { readonly objection?: string } {
  if (authorized) return {};
  // Typed as an Error; it is a code unless the name is what is wrong.
  const { code = String(authorizationError) } = authorizationError as NodeJS.ErrnoException;
  return { objection: code };
}
