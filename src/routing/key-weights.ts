/** The share of the fair keys that a pattern matches. */
export interface KeyWeight {
  /** A key, or the beginning of keys with `*` behind it. */
  readonly pattern: string;
  /** Above 0; what matches no pattern has 1. */
  readonly weight: number;
}

/** The weight of a fair key: that of its own pattern, else of the longest prefix that it begins with, else 1. */
export function weightOf(weights: readonly KeyWeight[]): (fairKey: string) => number {
  const exact = new Map(weights.map(({ pattern, weight }) => [pattern, weight]));
  const prefixes = weights
    .filter(({ pattern }) => pattern.endsWith("*"))
    .map(({ pattern, weight }) => ({ prefix: pattern.slice(0, -1), weight }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  return (fairKey) => exact.get(fairKey) ?? prefixes.find(({ prefix }) => fairKey.startsWith(prefix))?.weight ?? 1;
}
