import type { HeldBody } from "./held-body.ts";
import type { Stream } from "./stream.ts";

/** Life of a call. */
export type CallState =
  | { readonly t: "held"; readonly body: HeldBody; isEnded: boolean }
  | { readonly t: "joined"; readonly upstream: Stream }
  | { readonly t: "answered" }
  | { readonly t: "closed" };
