/** Whether a text matches a pattern in which `*` stands for any characters, none included. In time of their product at most. */
export function matchesPattern(text: string, pattern: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return text === pattern;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Kinds of a certificate's names that a pattern may begin with. */
const KIND = /^(?:cn|dns|uri|email|ip):/;

/**
 * Whether one of a certificate's names (`uri:spiffe://…`, `cn:runner-1`)
 * matches a pattern: `uri:spiffe://cluster.local/ns/arc/*` for one kind,
 * `runner-*` for all.
 */
export function matchesCertificate(names: readonly string[], pattern: string): boolean {
  const hasKind = KIND.test(pattern);
  return names.some((name) => matchesPattern(hasKind ? name : name.replace(KIND, ""), pattern));
}
