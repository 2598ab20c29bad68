import { createHash } from "node:crypto";

/**
 * Order ids by preference for a key (rendezvous hashing, highest first).
 *
 * Pure: the same key and ids give the same order on every gateway process.
 * Removing an id moves only the keys that preferred it.
 */
export function rankIds(key: string, ids: readonly string[]): string[] {
  return ids
    .map((id) => ({ id, weight: weight(key, id) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}

function weight(key: string, id: string): number {
  return createHash("sha256").update(`${id}\0${key}`).digest().readUIntBE(0, 6);
}
