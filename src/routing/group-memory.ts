import type { BuildGroup } from "./build-group.ts";

/** Groups without an open call that are remembered, so that a later call finds the replica that ran them. */
const MAX_RETIRED = 10_000;

/** Shared keys of sessions that are remembered. */
const MAX_SHARED_KEYS = 10_000;

/** Finds groups by the refs and sessions that belong to them. Bounded: the oldest idle groups are forgotten. */
export class GroupMemory {
  readonly #byToken = new Map<string, BuildGroup>();
  /** Idle groups, oldest first. */
  readonly #retired = new Set<BuildGroup>();
  readonly #sharedKeys = new Map<string, string>();

  find(token: string): BuildGroup | undefined {
    const group = this.#byToken.get(token);
    if (group) this.#retired.delete(group);
    return group;
  }

  /** These refs and sessions belong to `group` from now on, unless another has them already. */
  name(group: BuildGroup, tokens: readonly string[]): void {
    for (const token of tokens) {
      if (this.#byToken.has(token)) continue;
      this.#byToken.set(token, group);
      group.tokens.add(token);
    }
  }

  /** `group` has no open call any more. */
  retire(group: BuildGroup): void {
    if (group.tokens.size === 0) return;
    this.#retired.delete(group);
    this.#retired.add(group);
    if (this.#retired.size <= MAX_RETIRED) return;
    const oldest = this.#retired.values().next().value;
    if (oldest) this.#forget(oldest);
  }

  #forget(group: BuildGroup): void {
    this.#retired.delete(group);
    for (const token of group.tokens) this.#byToken.delete(token);
  }

  /** Keep what a session said of itself, for the Solve that names it. */
  noteSharedKey(token: string, sharedKey: string | undefined): void {
    if (sharedKey === undefined || sharedKey === "") return;
    this.#sharedKeys.set(token, sharedKey);
    if (this.#sharedKeys.size <= MAX_SHARED_KEYS) return;
    const oldest = this.#sharedKeys.keys().next().value;
    if (oldest !== undefined) this.#sharedKeys.delete(oldest);
  }

  sharedKey(token: string): string | undefined {
    return this.#sharedKeys.get(token);
  }
}
