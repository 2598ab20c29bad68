import type { X509Certificate } from "node:crypto";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { counted } from "../base/counted.ts";
import { day, oneLine } from "../trust/check-authority.ts";
import { type ChainFault, judgeChain } from "../trust/judge-chain.ts";
import { describeFault, heedObjection } from "../trust/judge-leg.ts";
import type { Outcome } from "./finding.ts";
import type { Answer } from "./steps.ts";
import { expectedName, type Target } from "./target.ts";
import { greetInTls } from "./tls-greeting.ts";

/** A certificate that ends sooner is a warning. */
export const SOON_DAYS = 14;

const DAY_MS = 86_400_000;

/** Whether the chain that a server has sent is for the name that the client expects. */
export function checkName(chain: readonly X509Certificate[], target: Target, now: Date): Answer<"named"> {
  const host = expectedName(target);
  const fault = faultsOf(chain, target, now).find(({ t }) => t === "wrong_name");
  if (fault === undefined) {
    const seen = `the certificate is for ${host}: ${oneLine(chain[0]!.subject)}`;
    return { outcome: { t: "ok", seen }, value: "named" };
  }
  const fix = "connect by one of those names, give --servername, or issue the certificate for this name too";
  return { outcome: { t: "failure", seen: describeFault(fault), fix } };
}

/** Judge the chain that a server has sent, but for the name, as a client that trusts the target's roots would. Never rejects. */
export async function checkChain(
  chain: readonly X509Certificate[],
  address: Address,
  target: Target,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Answer<"trusted">> {
  const { roots, own } = target;
  const now = clock.wallTime();
  const faults = faultsOf(chain, target, now).filter(({ t }) => t !== "wrong_name");
  const from = `${roots.origin} (${counted(roots.certificates.length, "certificate")})`;
  const [first] = faults;
  if (first) {
    const seen = [...faults.map(describeFault), ...roots.faults, `trusted here: ${from}`].join("; ");
    return { outcome: { t: "failure", seen, fix: fixOf(first) } };
  }
  const servername = expectedName(target);
  const greeting = await greetInTls(address, { clock, timeoutMs, servername, own, roots: roots.certificates });
  // Its own word on the name is not asked for: Go and OpenSSL agree there.
  const objection = greeting.t === "tls" && greeting.objection !== undefined ? { objection: greeting.objection } : {};
  const heeded = heedObjection(
    { t: "ok", isVerified: true, detail: "" },
    { t: "tls", chain, protocol: "", ...objection },
  );
  if (heeded.t === "failed") return { outcome: { t: "failure", seen: heeded.reason, fix: heeded.fix } };
  const outcome = expiryOutcome(chain, now, `${counted(chain.length, "certificate")} sent, trusted by ${from}`);
  return { outcome, value: "trusted" };
}

function faultsOf(chain: readonly X509Certificate[], target: Target, now: Date): readonly ChainFault[] {
  const { roots, isPublic } = target;
  const question = {
    chain,
    roots: roots.certificates,
    host: expectedName(target),
    now,
    needsSelfSigned: false,
    isPublic,
  };
  const verdict = judgeChain(question);
  return verdict.t === "trusted" ? [] : verdict.faults;
}

/** How long a chain is still good for: `seen`, with the day on which its first certificate ends. */
function expiryOutcome(chain: readonly X509Certificate[], now: Date, seen: string): Outcome {
  const ends = chain.map(({ subject, validTo }) => ({ subject, at: new Date(validTo) }));
  const first = ends.reduce((soonest, end) => (end.at < soonest.at ? end : soonest));
  const days = daysUntil(first.at, now);
  const until = `${seen}; expires on ${day(first.at)}, in ${counted(days, "day")}`;
  if (days >= SOON_DAYS) return { t: "ok", seen: until };
  return { t: "warning", seen: `${until}: ${oneLine(first.subject)}`, fix: "renew that certificate now" };
}

/** Whole days until a time; negative where it is past. */
export function daysUntil(end: Date, now: Date): number {
  return Math.floor((end.getTime() - now.getTime()) / DAY_MS);
}

function fixOf(fault: ChainFault): string {
  switch (fault.t) {
    case "expired":
      return "renew that certificate, or check this machine's clock";
    case "not_yet_valid":
      return "check this machine's clock, else wait or issue the certificate again";
    case "self_signed":
      return "give it as --ca (buildx: cacert), or issue one from your authority";
    case "missing_root":
      return "give that authority's certificate as --ca (buildx: cacert)";
    case "missing_intermediate":
      return "let the server send its intermediate (tls.cert: its own first, then the intermediates); or give it as --ca";
    case "wrong_name":
      return "connect by one of those names";
  }
}
