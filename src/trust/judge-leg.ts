import type { X509Certificate } from "node:crypto";
import { day } from "./check-authority.ts";
import type { RootPool } from "./go-root-pool.ts";
import { type ChainFault, judgeChain } from "./judge-chain.ts";
import type { ProbeOutcome } from "./probe-registry.ts";

/** Who connects to a registry: the gateway, the daemon (pull, push, cache), the client on the runner (tokens). */
export const LEGS = ["gateway", "daemon", "runner"] as const;

export type LegName = (typeof LEGS)[number];

/** One of those who connect, with what decides whether it trusts a registry. */
export interface Leg {
  readonly name: LegName;
  readonly pool: RootPool;
  /** It is Node, so OpenSSL; the others are written in Go. */
  readonly needsSelfSigned: boolean;
  /** It is set, or bound, to speak plain HTTP to this registry. */
  readonly isPlainHttp: boolean;
  /** It is set to take any certificate. */
  readonly isInsecure: boolean;
}

/** Why a leg cannot use a registry; `dns` to `tls_failed` hold for all legs alike. */
export type LegFaultKind =
  | ChainFault["t"]
  | "dns"
  | "refused"
  | "timeout"
  | "plain_http"
  | "tls_failed"
  | "speaks_plain_http"
  | "rejected"
  | "roots_unreadable";

/** What became of one leg. */
export type LegVerdict =
  /** `isVerified`: by certificate. */
  | { readonly t: "ok"; readonly isVerified: boolean; readonly detail: string }
  | { readonly t: "failed"; readonly kind: LegFaultKind; readonly reason: string; readonly fix: string };

/** What a leg is judged by. */
export interface LegQuestion {
  readonly leg: Leg;
  /** As the operator named it: `harbor:5000`. */
  readonly registry: string;
  /** Its host without the port. */
  readonly host: string;
  readonly probe: ProbeOutcome;
  readonly now: Date;
  readonly isPublic: (root: X509Certificate) => boolean;
}

/** Say whether a leg can use a registry, or why not, and what to do about it in one line. */
export function judgeLeg(question: LegQuestion): LegVerdict {
  const { leg, registry, probe } = question;
  const failed = (kind: LegFaultKind, reason: string, fix: string): LegVerdict => ({ t: "failed", kind, reason, fix });
  if (probe.t === "unknown_name") return failed("dns", "its name has no address", "check the name and the resolver");
  if (probe.t === "refused") return failed("refused", "connection refused", "check the port, and that it runs");
  if (probe.t === "timeout") {
    return failed("timeout", `no answer while ${probe.phase}`, "check routes, network policies and proxies on the way");
  }
  if (probe.t === "failed") {
    return failed("tls_failed", `no TLS: ${probe.code}`, "the server must speak TLS 1.2 or later on this port");
  }
  const [unreadable] = leg.name === "daemon" ? leg.pool.faults : [];
  // A daemon that cannot read one of its files does not connect at all, however it would.
  const stumbles = (): LegVerdict | undefined => {
    if (unreadable === undefined) return undefined;
    return failed("roots_unreadable", unreadable, "make the file readable to the daemon, or take it off the list");
  };
  if (probe.t === "plain_http") {
    if (leg.isPlainHttp) return stumbles() ?? { t: "ok", isVerified: false, detail: "plain HTTP, as it is set to" };
    const fix =
      leg.name === "daemon"
        ? `serve TLS there, or set http = true under [registry."${registry}"]`
        : "serve TLS there, or name the port that does";
    return failed("plain_http", "it answers plain HTTP where TLS is expected", fix);
  }
  // With both it tries TLS first.
  if (leg.isPlainHttp && !leg.isInsecure) {
    const fix = `set http = false under [registry."${registry}"]`;
    return failed("speaks_plain_http", "the daemon would speak plain HTTP to a port that serves TLS", fix);
  }
  if (leg.isInsecure)
    return stumbles() ?? { t: "ok", isVerified: false, detail: "insecure = true: any certificate is taken" };
  const verdict = judgeChain({ ...question, chain: probe.chain, ...leg, roots: leg.pool.certificates });
  if (verdict.t === "trusted") {
    return stumbles() ?? { t: "ok", isVerified: true, detail: verdict.root };
  }
  const reason = [...verdict.faults.map(describeFault), ...leg.pool.faults].join("; ");
  return failed(verdict.faults[0].t, reason, fixOf(verdict.faults[0], leg.name, registry));
}

/** What is wrong with a chain, for people. */
export function describeFault(fault: ChainFault): string {
  switch (fault.t) {
    case "expired":
      return `expired on ${day(fault.notAfter)}: ${fault.subject}`;
    case "not_yet_valid":
      return `not valid before ${fault.notBefore.toISOString()}: ${fault.subject}`;
    case "wrong_name":
      return `its certificate is not for ${fault.host}, but for ${fault.names}`;
    case "self_signed":
      return `its certificate is self-signed, and not among the roots: ${fault.subject}`;
    case "missing_root":
      return `its root is not among the roots: ${fault.issuer}`;
    case "missing_intermediate":
      return `it sends only its own certificate, and the issuer is not among the roots: ${fault.issuer}`;
  }
}

/** What OpenSSL says where a chain ends in an authority that is not self-signed, which Go is content with. */
const PARTIAL_CHAIN = [
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

/**
 * Take OpenSSL's word against a leg that {@link judgeLeg} found nothing wrong with, as it knows more rules: purposes,
 * constraints of names, lengths of paths. `probe` was made with the leg's roots.
 */
export function heedObjection(verdict: LegVerdict, probe: ProbeOutcome): LegVerdict {
  if (verdict.t !== "ok" || !verdict.isVerified || probe.t !== "tls" || probe.objection === undefined) return verdict;
  if (PARTIAL_CHAIN.includes(probe.objection)) return verdict;
  return {
    t: "failed",
    kind: "rejected",
    reason: `OpenSSL refuses the chain: ${probe.objection}`,
    fix: "issue the certificate for TLS servers, and within the constraints of its authorities",
  };
}

const HOW_TO_TRUST: Readonly<Record<LegName, (registry: string) => string>> = {
  gateway: () => "add it to the bundle (trust build --source)",
  daemon: (registry) => `trust inject --for buildkitd --registry ${registry}, with a bundle that has it`,
  runner: () => "trust inject --for runner, with a bundle that has it",
};

function fixOf(fault: ChainFault, leg: LegName, registry: string): string {
  switch (fault.t) {
    case "expired":
      return "renew that certificate";
    case "not_yet_valid":
      return "check this machine's clock, else wait or issue it again";
    case "wrong_name":
      return "use one of those names, or issue the certificate for this one too";
    case "self_signed":
      return `issue one from your authority; or trust this one: ${HOW_TO_TRUST[leg](registry)}`;
    case "missing_root":
      return HOW_TO_TRUST[leg](registry);
    case "missing_intermediate":
      return `let the registry send its intermediate; if that issuer is a root: ${HOW_TO_TRUST[leg](registry)}`;
  }
}
