import type { BuildGroup } from "./build-group.ts";

/** Refs and sessions of groups without an open call that are remembered, so that a later call finds their replica. */
const MAX_IDLE_TOKENS = 40_000;

/** More than this no honest group has: it is forgotten before it costs others their memory. */
const MAX_TOKENS_OF_ONE = 2_000;

/** Finds groups by the refs and sessions that belong to them. Bounded: the oldest idle groups are forgotten. */
export class GroupMemory {
  readonly #byToken = new Map<string, BuildGroup>();
  /** Idle groups, oldest first. */
  readonly #idle = new Set<BuildGroup>();
  #idleTokens = 0;

  /** Refs and sessions that are known. */
  get size(): number {
    return this.#byToken.size;
  }

  find(token: string): BuildGroup | undefined {
    return this.#byToken.get(token);
  }

  /**
   * These refs and sessions belong to `group` from now on, unless another has
   * them already that is more than a probe which has been answered. It has a
   * call, or will have.
   */
  name(group: BuildGroup, tokens: readonly string[]): void {
    this.#revive(group);
    for (const token of tokens) {
      const owner = this.#byToken.get(token);
      if (owner && owner.state.t !== "answered") continue;
      if (owner) this.#disown(owner, token);
      this.#byToken.set(token, group);
      group.tokens.add(token);
    }
  }

  #disown(owner: BuildGroup, token: string): void {
    owner.tokens.delete(token);
    if (this.#idle.has(owner)) this.#idleTokens--;
  }

  #revive(group: BuildGroup): void {
    if (this.#idle.delete(group)) this.#idleTokens -= group.tokens.size;
  }

  /** `group` has no open call any more. */
  retire(group: BuildGroup): void {
    this.#revive(group);
    if (group.tokens.size === 0) return;
    if (group.tokens.size > MAX_TOKENS_OF_ONE) {
      this.#forget(group);
      return;
    }
    this.#idle.add(group);
    this.#idleTokens += group.tokens.size;
    for (const oldest of this.#idle) {
      if (this.#idleTokens <= MAX_IDLE_TOKENS) break;
      this.#revive(oldest);
      this.#forget(oldest);
    }
  }

  #forget(group: BuildGroup): void {
    for (const token of group.tokens) this.#byToken.delete(token);
    group.tokens.clear();
  }
}
