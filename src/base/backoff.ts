/** Bounds of a wait that grows with each failure. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The wait before the next attempt after `failures` failed ones in a row, at
 * least 1: doubles from `minMs` to `maxMs`, minus up to half at random so that
 * many gateways do not ask at once. `random` is in [0, 1).
 */
export function backoffDelayMs(failures: number, { minMs, maxMs }: Backoff, random: number): number {
  return Math.min(maxMs, minMs * 2 ** (failures - 1)) * (1 - random / 2);
}
