import type { TLSSocket } from "node:tls";
import { pemCertificates } from "../base/pem-certificates.ts";
import { printable } from "../base/printable.ts";
import { certificateNames } from "../identity/certificate-names.ts";

/** What came of asking a client for its certificate. */
export type ClientCertificate =
  /** It has shown one that an authority of ours has signed; none where none is asked for. */
  | { readonly t: "accepted"; readonly names: readonly string[] }
  /** `reason` is for people, and names the certificate. */
  | { readonly t: "refused"; readonly reason: string };

/** What Node's codes mean (openssl-verification-options(1)), where they are no sentence by themselves. */
const WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  INVALID_PURPOSE: "it is not for clients (extended key usage clientAuth)",
  SELF_SIGNED_CERT_IN_CHAIN: "its root is not in tls.clientCa",
  UNABLE_TO_GET_ISSUER_CERT: "an issuer of its chain is not in tls.clientCa",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its issuer is not in tls.clientCa",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its issuer is not in tls.clientCa",
};

/** Longest name of an issuer that is shown. */
const MAX_ISSUER_CHARACTERS = 200;

/** Authorities that are named. */
const MAX_AUTHORITIES = 3;

/**
 * Look at the certificate that a client has shown in its handshake. `ca`: the
 * authorities that it was asked for; absent: none was asked for.
 *
 * A handshake without one passes for authorized where its session is resumed
 * (Node, TLS 1.3), so that a certificate has to be there whatever else is said.
 */
export function clientCertificate(socket: TLSSocket, ca: Buffer | undefined): ClientCertificate {
  if (!ca) return { t: "accepted", names: [] };
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return { t: "refused", reason: noneShown(ca) };
  const names = certificateNames(certificate);
  if (socket.authorized) return { t: "accepted", names };
  const code = String(socket.authorizationError);
  const text = `the client certificate ${names[0] ?? "without a name"}, issued by ${nameOf(certificate.issuer)}, is not trusted`;
  return { t: "refused", reason: `${text}: ${WORDS[code] ?? code}` };
}

/** A Go client shows none where it has none of the authorities that it is asked for. */
function noneShown(ca: Buffer): string {
  const authorities = pemCertificates(ca).map(({ subject }) => nameOf(subject));
  const named = authorities.slice(0, MAX_AUTHORITIES).join(" or ");
  const rest = authorities.length > MAX_AUTHORITIES ? ` or ${authorities.length - MAX_AUTHORITIES} others` : "";
  return `no client certificate issued by ${named}${rest} was shown (tls.clientCa)`;
}

function nameOf(distinguishedName: string): string {
  return printable(distinguishedName.replaceAll("\n", ", "), MAX_ISSUER_CHARACTERS);
}
