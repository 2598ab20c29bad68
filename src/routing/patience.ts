/** How long the builds of one key have waited for where they are warm while they could have run elsewhere. */
export interface SpentPatience {
  /** Since when a place elsewhere has stayed empty for them. */
  emptySinceMs: number | undefined;
  /** Since when they have let others take such places. */
  passedOverSinceMs: number | undefined;
}

/**
 * For so many times its patience a build that waits for where it is warm lets
 * those behind it take other places. No place stays empty for it, but it must end.
 */
const PASSED_OVER_FACTOR = 12;

/**
 * When a build's patience is over. It is spent only while a place stays empty
 * for it, and all builds of a key spend it together. `mayPass`: others may take the place.
 */
export function patienceEndsMs(
  spent: SpentPatience | undefined,
  { arrivedMs, nowMs, patienceMs, mayPass }: { arrivedMs: number; nowMs: number; patienceMs: number; mayPass: boolean },
): number {
  const sinceMs = (mayPass ? spent?.passedOverSinceMs : spent?.emptySinceMs) ?? nowMs;
  return Math.max(sinceMs, arrivedMs) + patienceMs * (mayPass ? PASSED_OVER_FACTOR : 1);
}
