/** What a check looked at: the way to BuildKit, a gateway's admin port, the cluster, registries, this machine's clock. */
export const SECTIONS = ["address", "admin", "cluster", "registries", "clock"] as const;

export type Section = (typeof SECTIONS)[number];

/** What a check came to. `seen` and `fix` are one line for people, without secrets. */
export type Outcome =
  | { readonly t: "ok"; readonly seen: string }
  /** It works, and needs a look. */
  | { readonly t: "warning"; readonly seen: string; readonly fix: string }
  /** `manifest`: YAML to apply, in lines. */
  | { readonly t: "failure"; readonly seen: string; readonly fix: string; readonly manifest?: string }
  /** It was not made; `seen` says why. */
  | { readonly t: "skipped"; readonly seen: string };

/** One check with its outcome. */
export interface Finding {
  readonly section: Section;
  /** What was checked: `connect`, `replica buildkit-0`. */
  readonly check: string;
  readonly outcome: Outcome;
}

/** What all findings come to together: the worst of them; skipped ones do not count. */
export function worstOf(findings: readonly Finding[]): "ok" | "warning" | "failure" {
  const has = (t: Outcome["t"]) => findings.some(({ outcome }) => outcome.t === t);
  if (has("failure")) return "failure";
  return has("warning") ? "warning" : "ok";
}
