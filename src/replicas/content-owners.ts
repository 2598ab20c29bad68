import type { Replica } from "./replica.ts";

/** Digests that are remembered. A build has about ten. */
const MAX_DIGESTS = 100_000;

/** Replicas that are remembered for one digest. Any of them will do. */
const MAX_OWNERS = 4;

/** A digest has 71 characters (sha256); a longer one than this is not remembered. */
const MAX_DIGEST_CHARACTERS = 160;

/** Where content is, as the records of builds say and as replicas have answered. Bounded: the oldest is forgotten. */
export class ContentOwners {
  /** Replicas by digest, oldest digest first; the newest owner comes last. */
  readonly #owners = new Map<string, readonly string[]>();
  /** Replicas that something is remembered of. */
  readonly #learntOf = new Set<string>();
  /** Which daemon each replica is. */
  readonly #identities = new Map<string, string>();

  /** Replicas that have this content, as far as it is known; the last to be learnt of comes first. */
  of(digest: string): readonly string[] {
    return this.#owners.get(digest)?.toReversed() ?? [];
  }

  /** A replica has all this. */
  learn(replicaId: string, digests: Iterable<string>): void {
    for (const digest of digests) {
      if (digest.length > MAX_DIGEST_CHARACTERS) continue;
      const others = (this.#owners.get(digest) ?? []).filter((id) => id !== replicaId);
      this.#owners.delete(digest);
      this.#owners.set(digest, [...others.slice(1 - MAX_OWNERS), replicaId]);
    }
    this.#learntOf.add(replicaId);
    while (this.#owners.size > MAX_DIGESTS) this.#owners.delete(this.#owners.keys().next().value!);
  }

  /** A replica as it is now: what was there is forgotten where it is gone, or another daemon. */
  observe({ id, state, identity }: Replica): void {
    const was = this.#identities.get(id);
    if (state.t === "gone") this.#identities.delete(id);
    else if (identity !== "") this.#identities.set(id, identity);
    if (was !== undefined && was !== this.#identities.get(id)) this.forget(id);
  }

  /** A replica has thrown something away, nobody knows what: where its content is has to be asked again. */
  forget(replicaId: string): void {
    // Many records are deleted one after the other, and each time all digests would be looked through.
    if (!this.#learntOf.delete(replicaId)) return;
    for (const [digest, owners] of this.#owners) {
      if (!owners.includes(replicaId)) continue;
      const left = owners.filter((id) => id !== replicaId);
      if (left.length > 0) this.#owners.set(digest, left);
      else this.#owners.delete(digest);
    }
  }
}
