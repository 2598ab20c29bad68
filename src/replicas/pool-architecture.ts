/** Replicas that a message names for each architecture. */
const MAX_NAMED = 3;

/**
 * The one architecture that a pool's replicas build for by themselves. A build
 * goes to any of them, so another one among them would get builds for the wrong
 * platform without a word.
 *
 * It is what the operator has said, where any replica has it; else what most
 * replicas have, and while two are even, what was first. A word that is true of
 * none must not put them all out.
 */
export class PoolArchitecture {
  readonly #said: string | undefined;
  readonly #architectures = new Map<string, string>();
  #decided: string | undefined;

  /** `platforms`: what the operator has said, the machines' own first. Empty: nothing. */
  constructor(platforms: readonly string[]) {
    this.#said = architectureOf(platforms);
  }

  /**
   * A replica builds for these platforms, its own first. Returns why it cannot
   * be of this pool; `undefined`: it can.
   */
  judge(replicaId: string, platforms: readonly string[]): string | undefined {
    const architecture = architectureOf(platforms);
    if (architecture === undefined) return undefined;
    this.#architectures.set(replicaId, architecture);
    const decided = this.#decide();
    if (architecture === decided) return undefined;
    return `it builds for ${architecture}, this pool for ${decided}: it needs a pool of its own (pools, platforms)`;
  }

  /** The replica is gone. */
  forget(replicaId: string): void {
    this.#architectures.delete(replicaId);
  }

  /** Why it cannot be told what this pool builds for, with the fix. Absent: it can. */
  get conflict(): string | undefined {
    if (this.#isSaidTrue()) return undefined;
    const sides = this.#bySize();
    if (sides.length < 2 || sides[0]![1].length > sides[1]![1].length) return undefined;
    const named = sides.map(([architecture, ids]) => `${architecture} (${listed(ids)})`).join(" and ");
    return `replicas of one pool build for ${named}: give each architecture a pool of its own (pools), or say which this one is for (platforms)`;
  }

  #decide(): string | undefined {
    if (this.#isSaidTrue()) return this.#said;
    const [first] = this.#bySize();
    const incumbents = this.#bySize().find(([architecture]) => architecture === this.#decided)?.[1].length ?? 0;
    if (first && first[1].length > incumbents) this.#decided = first[0];
    return this.#decided;
  }

  #isSaidTrue(): boolean {
    return [...this.#architectures.values()].some((architecture) => architecture === this.#said);
  }

  /** Architectures with their replicas, the most common first. */
  #bySize(): [architecture: string, ids: string[]][] {
    const sides = new Map<string, string[]>();
    for (const [id, architecture] of this.#architectures) {
      sides.set(architecture, [...(sides.get(architecture) ?? []), id]);
    }
    return [...sides].sort(([one, ids], [other, others]) => others.length - ids.length || (one < other ? -1 : 1));
  }
}

/** `linux/arm64` of `linux/arm64/v8`; a machine's own platform comes first. */
function architectureOf([own]: readonly string[]): string | undefined {
  return own?.split("/").slice(0, 2).join("/");
}

function listed(ids: readonly string[]): string {
  const named = ids.toSorted().slice(0, MAX_NAMED).join(", ");
  return ids.length > MAX_NAMED ? `${named} and ${ids.length - MAX_NAMED} more` : named;
}
