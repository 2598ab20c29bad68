import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** The share of the keys that a pattern matches. */
export interface KeyWeight {
  /** A key, or the beginning of keys with `*` behind it. */
  readonly pattern: string;
  /** Above 0, at most 1,000. */
  readonly weight: number;
}

/** Longest pattern; no key is longer. */
const MAX_PATTERN_CHARACTERS = 512;

const MAX_WEIGHT = 1_000;

/** Shares of keys, each `pattern=weight`. */
export function weightList() {
  const write = ({ pattern, weight }: KeyWeight) => `${pattern}=${weight}`;
  const label = "pattern=weight";
  return list(value(label, readWeight, write), { label, writeItem: write }, ({ pattern }) => [
    `pattern ${quote(pattern)}`,
  ]);
}

/** Keys may hold an `=`; the weight is behind the last one. */
function readWeight(input: unknown): KeyWeight {
  const [, pattern, written] = (typeof input === "string" && /^(\S+)=([^=\s]*)$/.exec(input)) || [];
  if (pattern === undefined) throw new Error(`not a weight: ${quote(input)} (write github.com/acme/*=2)`);
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    throw new Error(`pattern longer than ${MAX_PATTERN_CHARACTERS} characters: ${quote(pattern)}`);
  }
  if (pattern.slice(0, -1).includes("*")) throw new Error(`"*" can only end a pattern: ${quote(pattern)}`);
  const weight = /^\d{1,9}(\.\d{1,9})?$/.test(written!) ? Number(written) : Number.NaN;
  if (!(weight > 0 && weight <= MAX_WEIGHT)) {
    throw new Error(`not a weight above 0 and up to ${MAX_WEIGHT}: ${quote(written)}`);
  }
  return { pattern, weight };
}
