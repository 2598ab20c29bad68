import { printable } from "../base/printable.ts";
import { type Caller, MAX_CALLER_CHARACTERS } from "./caller.ts";

/**
 * Header in which a sidecar says who is building, on every call. Never sent to
 * a replica, and believed only from a client whose certificate is trusted.
 */
export const CLAIM_HEADER = "x-buildkit-gateway-caller";

/** What may be claimed: all but the certificate, which speaks for itself. */
export type Claim = Omit<Caller, "certificateNames">;

/** The keys of a claim, in the order in which they are written. */
export const CLAIM_KEYS = ["repository", "workflow", "runId", "job", "namespace", "pod", "workload"] as const;

export type ClaimKey = (typeof CLAIM_KEYS)[number];

/** The keys that say which job it is. */
const JOB_KEYS: ReadonlySet<ClaimKey> = new Set(["repository", "workflow", "runId", "job"]);

/** A claim without what it says of a job. */
export function withoutJob(claim: Claim): Claim {
  return makeClaim((key) => (JOB_KEYS.has(key) ? undefined : claim[key]));
}

/** Longest claim that is read; a whole one with all keys at their longest is shorter. */
const MAX_CLAIM_CHARACTERS = 8_192;

/** Write a claim as `application/x-www-form-urlencoded`, which every header can carry; empty where it says nothing. */
export function writeClaim(claim: Claim): string {
  const parameters = new URLSearchParams();
  for (const key of CLAIM_KEYS) if (claim[key] !== undefined) parameters.set(key, claim[key]);
  return parameters.toString();
}

/** Read a claim. Unknown keys are left out, and so is all of what is longer than any honest one. */
export function readClaim(text: string): Claim {
  if (text.length > MAX_CLAIM_CHARACTERS) return {};
  const parameters = new URLSearchParams(text);
  return makeClaim((key) => parameters.get(key));
}

/** A claim of the texts that `read` finds; each is cut at 256 characters, and empty ones are left out. */
export function makeClaim(read: (key: ClaimKey) => string | null | undefined): Claim {
  const claim: Record<string, string> = {};
  for (const key of CLAIM_KEYS) {
    const text = read(key);
    if (text) claim[key] = printable(text, MAX_CALLER_CHARACTERS);
  }
  return claim;
}
