/**
 * Order ids by preference for a key (rendezvous hashing, highest first).
 *
 * Pure: the same key and ids give the same order on every gateway process.
 * Removing an id moves only the keys that preferred it.
 */
export function rankIds(key: string, ids: readonly string[]): string[] {
  const keyHash = hashText(key);
  return ids
    .map((id) => ({ id, weight: rendezvousWeight(keyHash, id) }))
    .sort((a, b) => (isPreferred(a.weight, a.id, b.weight, b.id) ? -1 : 1))
    .map(({ id }) => id);
}

/** Whether the first of two ids with their weights comes before the other. Equal weights go by id. */
export function isPreferred(weight: number, id: string, otherWeight: number, otherId: string): boolean {
  return weight > otherWeight || (weight === otherWeight && id < otherId);
}

/** How much the key of this hash prefers an id: 32 bits without a pattern. */
export function rendezvousWeight(keyHash: number, id: string): number {
  return mix(Math.imul(keyHash, 0x9e3779b1) + hashId(id));
}

/** Ids whose hash is kept. A fleet has far fewer; beyond it, all are computed anew. */
const MAX_KEPT_IDS = 10_000;

/** A decision looks at every replica's id, and they hardly change: keeping their hashes is most of its speed. */
const keptIds = new Map<string, number>();

function hashId(id: string): number {
  const kept = keptIds.get(id);
  if (kept !== undefined) return kept;
  if (keptIds.size >= MAX_KEPT_IDS) keptIds.clear();
  const hash = hashText(id);
  keptIds.set(id, hash);
  return hash;
}

/** 32 bits of a text that are the same everywhere (FNV-1a over its UTF-16 units, then mixed). No defence against a forger. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** Let each bit decide about all others (the last step of MurmurHash3). A bijection. */
function mix(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
