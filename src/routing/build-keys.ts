import type { SolveRequest } from "../buildkit/solve-request.ts";
import type { Caller } from "../identity/caller.ts";
import { affinityKey, type KeySource } from "./affinity-key.ts";

/** Sessions whose shared key is remembered. */
const MAX_SESSIONS = 10_000;

/** Longest session id and shared key that are kept; a client may send megabytes. */
const MAX_CHARACTERS = 256;

/** Names what a build's cache is known by, from its Solve and from what its Session said. */
export class BuildKeys {
  readonly #sources: readonly KeySource[];
  /** Shared keys by session, oldest first; empty where a Session named none. */
  readonly #sharedKeys = new Map<string, string>();

  /** `sources`: where keys come from, in order. */
  constructor(sources: readonly KeySource[]) {
    this.#sources = sources;
  }

  /** Keep what a Session said of itself, for the Solve that names it. */
  noteSession(buildSession: string, sharedKey: string | undefined): void {
    this.#sharedKeys.set(buildSession.slice(0, MAX_CHARACTERS), (sharedKey ?? "").slice(0, MAX_CHARACTERS));
    if (this.#sharedKeys.size <= MAX_SESSIONS) return;
    for (const oldest of this.#sharedKeys.keys()) {
      this.#sharedKeys.delete(oldest);
      break;
    }
  }

  /** `undefined` where nothing says what the build shares its cache with. */
  keyOf(solve: SolveRequest, caller: Caller): string | undefined {
    return this.#key(solve, caller, this.#sharedKey(solve));
  }

  /** Whether the key may be what the build's Session says, and that has not come yet. */
  needsSession(solve: SolveRequest, caller: Caller): boolean {
    if (solve.buildSession === "" || this.#sharedKey(solve) !== undefined) return false;
    return this.#key(solve, caller, "?") !== this.#key(solve, caller, undefined);
  }

  #key({ attrs, imageNames }: SolveRequest, caller: Caller, sharedKey: string | undefined): string | undefined {
    return affinityKey({ attrs, imageNames, caller, sharedKey }, this.#sources);
  }

  #sharedKey({ buildSession }: SolveRequest): string | undefined {
    return this.#sharedKeys.get(buildSession.slice(0, MAX_CHARACTERS));
  }
}
