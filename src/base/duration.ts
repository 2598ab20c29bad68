/** Longest duration that Node's timers keep; a longer one would fire at once (nodejs.org, timers, setTimeout). */
export const MAX_DURATION_MS = 2_147_483_647;

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Read a duration with its unit, in milliseconds: `250ms`, `30s`, `1.5m`, `1h30m`; `0` needs no unit.
 *
 * Throws an Error whose message says what is wrong and how to write it.
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (!/^(?:\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h))+$/.test(text)) {
    throw new Error(`not a duration: ${JSON.stringify(text)} (write 250ms, 30s, 5m or 1h)`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) totalMs += Number(amount) * MS_PER_UNIT[unit!]!;
  if (totalMs > MAX_DURATION_MS) throw new Error(`too long: ${JSON.stringify(text)} (at most 596h)`);
  return Math.round(totalMs);
}

/** Write a whole number of milliseconds the way {@link parseDuration} reads it: `1h30m`, `250ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  let restMs = durationMs;
  let text = "";
  for (const unit of ["h", "m", "s", "ms"]) {
    const amount = Math.floor(restMs / MS_PER_UNIT[unit]!);
    if (amount > 0) text += `${amount}${unit}`;
    restMs -= amount * MS_PER_UNIT[unit]!;
  }
  return text;
}
