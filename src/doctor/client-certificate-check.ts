import type { X509Certificate } from "node:crypto";
import { type ServiceError, status } from "@grpc/grpc-js";
import { pemCertificates } from "../base/pem-certificates.ts";
import { day, oneLine } from "../trust/check-authority.ts";
import type { CertificateRequest } from "./certificate-request.ts";
import { daysUntil, SOON_DAYS } from "./chain-check.ts";
import { describeName, issuerName } from "./distinguished-name.ts";
import type { Outcome } from "./finding.ts";
import type { FirstWords } from "./first-words.ts";

/** What is known of the client's certificate and of what the server makes of it. */
export interface ClientCertificateCase {
  /** Our own chain, PEM, leaf first. Absent: there is none. */
  readonly cert: Buffer | undefined;
  /** What the server asks for; undefined: it does not say. */
  readonly request: CertificateRequest | undefined;
  /** What it said on the secured connection. */
  readonly words: FirstWords;
  /** Why it ended a first call, where it did. */
  readonly callError: ServiceError | undefined;
  readonly now: Date;
}

/** Authorities that are named. */
const MAX_NAMED = 5;

/** TLS alerts about a client's certificate, by the names that OpenSSL gives them (RFC 8446 section 6.2). */
const ALERTS: readonly (readonly [pattern: RegExp, said: string])[] = [
  [/CERTIFICATE_REQUIRED/, "it needs a client certificate"],
  [/CERTIFICATE_EXPIRED/, "it says that the client certificate has expired"],
  [/CERTIFICATE_REVOKED/, "it says that the client certificate is revoked"],
  [/UNKNOWN_CA/, "it does not know the authority of the client certificate"],
  [
    /BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE/,
    "it does not take the client certificate, or needs one",
  ],
  [/HANDSHAKE_FAILURE|ACCESS_DENIED/, "it refuses the client"],
];

const HOW_TO_GIVE = "give --cert and --key of a certificate of that authority (buildx: cert, key)";

/** Say whether the client's certificate does, and if not, what was missing or why it was not trusted. */
export function judgeClientCertificate(known: ClientCertificateCase): Outcome {
  const { words, callError, request, now } = known;
  const chain = pemCertificates(known.cert);
  const [leaf] = chain;
  const asks = describeRequest(request);
  const shown = leaf ? `given: ${oneLine(leaf.subject)}, issued by ${oneLine(leaf.issuer)}` : "none is given";
  const failure = (why: string, fix: string): Outcome => ({ t: "failure", seen: `${why}; ${asks}; ${shown}`, fix });
  const refusal =
    callError?.code === status.UNAUTHENTICATED ? `refused: ${callError.details}` : refusalIn(words, request);
  if (refusal !== undefined) return failure(refusal, fixFor(leaf, matches(chain, request), now));
  if (leaf && new Date(leaf.validTo) < now) {
    return failure(`the client certificate expired on ${day(new Date(leaf.validTo))}`, "renew that certificate");
  }
  if (leaf && request?.t === "asked" && !matches(chain, request)) {
    // A Go client then shows none at all; that Node shows it, and it was taken, is no proof for buildx.
    return failure("a Go client such as buildx will not show this certificate", HOW_TO_GIVE);
  }
  const seen = `${asks}; ${shown}`;
  if (leaf && daysUntil(new Date(leaf.validTo), now) < SOON_DAYS) {
    return {
      t: "warning",
      seen: `${seen}, expires on ${day(new Date(leaf.validTo))}`,
      fix: "renew that certificate now",
    };
  }
  return { t: "ok", seen: leaf && request?.t === "asked" ? `${seen}; taken` : seen };
}

function describeRequest(request: CertificateRequest | undefined): string {
  if (!request) return "whether the server asks for one is not known (it speaks TLS 1.3 only)";
  if (request.t === "not_asked") return "the server asks for none";
  const { authorities } = request;
  if (authorities.length === 0) return "the server asks for one, of any authority";
  const named = authorities.slice(0, MAX_NAMED).map(describeName);
  const rest = authorities.length > MAX_NAMED ? ` or ${authorities.length - MAX_NAMED} others` : "";
  return `the server asks for one of ${named.join(" or ")}${rest}`;
}

/** As Go chooses: one of the chain has an issuer among those that are asked for (go/src/crypto/tls, SupportsCertificate). */
function matches(chain: readonly X509Certificate[], request: CertificateRequest | undefined): boolean {
  if (request?.t !== "asked" || request.authorities.length === 0) return true;
  const issuers = chain.map(issuerName);
  return request.authorities.some((name) => issuers.some((issuer) => Buffer.compare(issuer, name) === 0));
}

/** What the end of a connection says about the client's certificate; undefined: nothing. */
function refusalIn(words: FirstWords, request: CertificateRequest | undefined): string | undefined {
  const isAsked = request?.t === "asked";
  if (words.t === "closed") return isAsked ? "it closes the connection after the handshake" : undefined;
  if (words.t !== "failed") return undefined;
  const [, said] = (/ALERT/.test(words.code) && ALERTS.find(([pattern]) => pattern.test(words.code))) || [];
  if (said !== undefined) return `${said} (${words.code})`;
  return isAsked ? `it breaks the connection off after the handshake (${words.code})` : undefined;
}

function fixFor(leaf: X509Certificate | undefined, isMatch: boolean, now: Date): string {
  if (!leaf) return HOW_TO_GIVE;
  if (new Date(leaf.validTo) < now) return "renew that certificate";
  if (new Date(leaf.validFrom) > now) return "check the clocks; that certificate is not valid yet";
  if (!isMatch) return `${HOW_TO_GIVE}, or add its issuer to tls.clientCa`;
  return "give the whole chain, for clients (extended key usage clientAuth), of the authority in tls.clientCa";
}
