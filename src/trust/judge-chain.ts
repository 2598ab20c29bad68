import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { oneLine } from "./check-authority.ts";

/** What is wrong with a server's certificate, for one set of roots. */
export type ChainFault =
  | { readonly t: "expired"; readonly subject: string; readonly notAfter: Date }
  | { readonly t: "not_yet_valid"; readonly subject: string; readonly notBefore: Date }
  /** `names`: what it is valid for. */
  | { readonly t: "wrong_name"; readonly host: string; readonly names: string }
  /** It vouches for itself, and is not among the roots. */
  | { readonly t: "self_signed"; readonly subject: string }
  /** The chain ends at an issuer that should be among the roots and is not. */
  | { readonly t: "missing_root"; readonly issuer: string }
  /** The server should have sent this issuer's certificate and has not. */
  | { readonly t: "missing_intermediate"; readonly issuer: string };

/** What the judgement rests on. */
export interface ChainQuestion {
  /** As the server sent it, its own certificate first. */
  readonly chain: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
  readonly host: string;
  readonly now: Date;
  /** OpenSSL trusts a chain only if it ends in a self-signed root; Go if it ends in any certificate of its pool. */
  readonly needsSelfSigned: boolean;
  /** Whether a certificate is of a public authority; the others among the roots are somebody's own. */
  readonly isPublic: (root: X509Certificate) => boolean;
}

/** Everything that is wrong, the most telling first; or the root that the chain ends in. */
export type ChainVerdict =
  | { readonly t: "trusted"; readonly root: string }
  | { readonly t: "untrusted"; readonly faults: readonly [ChainFault, ...ChainFault[]] };

/** Longest chain that is built. */
const MAX_LENGTH = 10;

/** Most signatures that are checked for one chain. */
const MAX_CHECKS = 200;

/**
 * Judge a server's chain against a set of roots, as Go's crypto/x509 or OpenSSL would at `now`.
 *
 * Only a certificate that is not there leaves room for doubt: with nothing but the server's own certificate sent, an unknown
 * issuer may be a root that is missing here or an intermediate that is missing there. It is taken for an intermediate
 * where the roots have an authority of somebody's own, which then should have been the one.
 */
export function judgeChain(question: ChainQuestion): ChainVerdict {
  const { chain, host, now } = question;
  const leaf = chain[0];
  if (leaf === undefined) throw new Error("a chain without a certificate");
  const path = findPath(question);
  const faults: ChainFault[] = [];
  if (path === undefined) faults.push(whyUntrusted(question));
  for (const certificate of path ?? chain) {
    const fault = faultOfDates(certificate, now);
    if (fault) faults.push(fault);
  }
  const isNamed = isIP(host) === 0 ? leaf.checkHost(host, { subject: "never" }) : leaf.checkIP(host);
  if (isNamed === undefined) {
    faults.push({ t: "wrong_name", host, names: leaf.subjectAltName?.slice(0, 300) ?? "no name at all" });
  }
  const [first, ...rest] = faults;
  if (first) return { t: "untrusted", faults: [first, ...rest] };
  return { t: "trusted", root: oneLine(path!.at(-1)!.subject) };
}

/** From the server's certificate to a root; one whose every certificate is valid now, if there is any. */
function findPath(question: ChainQuestion): readonly X509Certificate[] | undefined {
  const { chain, roots, now, needsSelfSigned } = question;
  const isRoot = (certificate: X509Certificate) => roots.some(({ raw }) => raw.equals(certificate.raw));
  const candidates = [...roots, ...chain.slice(1)];
  let checks = 0;
  let stale: readonly X509Certificate[] | undefined;
  const extend = (path: readonly X509Certificate[]): readonly X509Certificate[] | undefined => {
    const last = path.at(-1)!;
    const isEnd = isRoot(last) && (!needsSelfSigned || last.checkIssued(last));
    if (isEnd) {
      if (path.every((certificate) => !faultOfDates(certificate, now))) return path;
      stale ??= path;
      return undefined;
    }
    if (path.length === MAX_LENGTH) return undefined;
    for (const issuer of candidates) {
      if (last.issuer !== issuer.subject || path.includes(issuer)) continue;
      checks += 1;
      if (checks > MAX_CHECKS) return undefined;
      if (!isSignedBy(last, issuer)) continue;
      const found = extend([...path, issuer]);
      if (found) return found;
    }
    return undefined;
  };
  return extend([chain[0]!]) ?? stale;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function whyUntrusted({ chain, roots, isPublic }: ChainQuestion): ChainFault {
  const leaf = chain[0]!;
  if (leaf.subject === leaf.issuer) return { t: "self_signed", subject: oneLine(leaf.subject) };
  // As far up as what the server sent leads.
  let top = leaf;
  for (let length = 1; length < MAX_LENGTH && top.subject !== top.issuer; length += 1) {
    const issuer = chain.find((candidate) => candidate !== top && isSignedBy(top, candidate));
    if (!issuer) break;
    top = issuer;
  }
  const issuer = oneLine(top.issuer);
  const isAlone = top === leaf;
  const hasOwnAuthority = roots.some((root) => !isPublic(root));
  return { t: isAlone && hasOwnAuthority ? "missing_intermediate" : "missing_root", issuer };
}

function faultOfDates(certificate: X509Certificate, now: Date): ChainFault | undefined {
  const notAfter = new Date(certificate.validTo);
  if (notAfter < now) return { t: "expired", subject: oneLine(certificate.subject), notAfter };
  const notBefore = new Date(certificate.validFrom);
  if (notBefore > now) return { t: "not_yet_valid", subject: oneLine(certificate.subject), notBefore };
  return undefined;
}
