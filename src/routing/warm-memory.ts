import type { Clock } from "../base/clock.ts";

/** A replica where builds of a key ended with success, so that it probably still has their cache. */
export interface WarmPlace {
  readonly replicaId: string;
  /** Which daemon it was then; empty where that was not known. */
  readonly identity: string;
}

/** What the memory is made of. */
export interface WarmMemoryOptions {
  readonly clock: Clock;
  /** How long a build is remembered. */
  readonly lifetimeMs: number;
  /** Keys that are remembered; beyond it, the one that has not built for longest is forgotten. */
  readonly maxKeys: number;
  /** Replicas that are remembered for one key, the latest ones. Default 10. */
  readonly maxPlaces?: number;
}

interface DatedPlace extends WarmPlace {
  readonly atMs: number;
}

const NO_PLACES: readonly DatedPlace[] = [];

/** Remembers where each key last built with success. */
export class WarmMemory {
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  readonly #maxKeys: number;
  readonly #maxPlaces: number;
  /** Places by key, latest first; the key that has not built for longest comes first. Lists are replaced, never changed. */
  readonly #places = new Map<string, readonly DatedPlace[]>();
  readonly #keysOf = new Map<string, Set<string>>();

  constructor({ clock, lifetimeMs, maxKeys, maxPlaces = 10 }: WarmMemoryOptions) {
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
    this.#maxKeys = maxKeys;
    this.#maxPlaces = maxPlaces;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#places.size;
  }

  /** Keys that are warm on a replica, those included whose time has run out since they were looked for. */
  warmKeys(replicaId: string): number {
    return this.#keysOf.get(replicaId)?.size ?? 0;
  }

  /** The keys that became warm on a replica last, the latest first. */
  newestKeys(replicaId: string, max: number): string[] {
    const keys = [...(this.#keysOf.get(replicaId) ?? [])];
    return keys.slice(-max).reverse();
  }

  /** A build of this key ended with success on a replica, `ageMs` ago (default 0). Of two reports the newer wins. */
  built(key: string, replicaId: string, identity: string, ageMs = 0): void {
    if (ageMs >= this.#lifetimeMs) return;
    const atMs = this.#clock.nowMs() - ageMs;
    const known = this.#places.get(key) ?? NO_PLACES;
    if (known.some((place) => place.replicaId === replicaId && place.atMs > atMs)) return;
    const others = known.filter((place) => place.replicaId !== replicaId);
    const newer = others.filter((place) => place.atMs > atMs);
    const places = [...newer, { replicaId, identity, atMs }, ...others.slice(newer.length)];
    if (newer.length === 0) this.#places.delete(key);
    this.#remember(key, places.slice(0, this.#maxPlaces), places.slice(this.#maxPlaces));
    if (this.#places.size > this.#maxKeys) this.#forgetOldestKey();
  }

  /** Where it last built, latest first. Whether a replica is still that daemon is the reader's to check. */
  find(key: string): readonly WarmPlace[] {
    const places = this.#places.get(key) ?? NO_PLACES;
    const sinceMs = this.#clock.nowMs() - this.#lifetimeMs;
    if (places.length === 0 || places.at(-1)!.atMs > sinceMs) return places;
    const fresh = places.filter(({ atMs }) => atMs > sinceMs);
    this.#remember(
      key,
      fresh,
      places.filter(({ atMs }) => atMs <= sinceMs),
    );
    return fresh;
  }

  /** Its cache was pruned: nothing is warm there any more. */
  forgetReplica(replicaId: string): void {
    for (const key of this.#keysOf.get(replicaId) ?? []) {
      const places = this.#places.get(key)!.filter((place) => place.replicaId !== replicaId);
      if (places.length === 0) this.#places.delete(key);
      else this.#places.set(key, places);
    }
    this.#keysOf.delete(replicaId);
  }

  #forgetOldestKey(): void {
    for (const [key, places] of this.#places) {
      this.#remember(key, NO_PLACES, places);
      return;
    }
  }

  #remember(key: string, places: readonly DatedPlace[], dropped: readonly DatedPlace[]): void {
    if (places.length === 0) this.#places.delete(key);
    else this.#places.set(key, places);
    for (const { replicaId } of places) {
      const keys = this.#keysOf.get(replicaId);
      if (keys) {
        // The latest stands last.
        keys.delete(key);
        keys.add(key);
      } else this.#keysOf.set(replicaId, new Set([key]));
    }
    for (const { replicaId } of dropped) {
      const keys = this.#keysOf.get(replicaId);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysOf.delete(replicaId);
    }
  }
}
