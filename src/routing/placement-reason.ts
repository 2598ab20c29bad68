/** Why a build went where it went. */
export type PlacementReason =
  /** Its key last built there. */
  | { readonly t: "warm" }
  /** Nothing is known of its key: the first in its rendezvous order. */
  | { readonly t: "preferred" }
  /** The replica it would have gone to did not take it; `because`: `full`, `over its share`, `ejected`, `draining`, … */
  | { readonly t: "spilled"; readonly from: string; readonly because: string }
  /** It has no key. */
  | { readonly t: "least loaded" };

/** A reason for people: `warm: github.com/acme/app`, `spilled: buildkit-0 full`, `least loaded`. */
export function describeReason(reason: PlacementReason, key: string | undefined): string {
  if (reason.t === "spilled") return `spilled: ${reason.from} ${reason.because}`;
  return key === undefined ? reason.t : `${reason.t}: ${key}`;
}
