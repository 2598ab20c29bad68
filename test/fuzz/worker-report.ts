import type { Progress } from "./fuzz-loop.ts";

/** What a worker tells its parent. */
export type WorkerReport =
  | { readonly t: "begun"; readonly hangMs: number | undefined }
  | ({ readonly t: "progress" } & Progress)
  /** The input in hexadecimal. */
  | { readonly t: "finding"; readonly hex: string; readonly reason: string }
  | { readonly t: "unavailable"; readonly reason: string }
  | ({ readonly t: "done" } & Progress);
