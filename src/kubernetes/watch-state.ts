import type { FailureKind } from "./api-failure.ts";

/**
 * How well what is known of a resource follows the API server:
 * - `syncing`: not listed yet.
 * - `live`: listed, and watched.
 * - `stale`: it cannot be listed or watched; what was known before stays.
 */
export type WatchState =
  | { readonly t: "syncing"; readonly sinceMs: number }
  | { readonly t: "live"; readonly sinceMs: number }
  | { readonly t: "stale"; readonly sinceMs: number; readonly kind: FailureKind; readonly reason: string };
