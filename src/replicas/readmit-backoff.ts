/** Bounds of the wait before a replica that failed is checked again. */
export interface ReadmitBackoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The wait before the next check of a replica after `failures` failed ones in
 * a row, at least 1: doubles from `minMs` to `maxMs`, minus up to half at random
 * so that many gateways do not ask at once. `random` is in [0, 1).
 */
export function readmitDelayMs(failures: number, { minMs, maxMs }: ReadmitBackoff, random: number): number {
  return Math.min(maxMs, minMs * 2 ** (failures - 1)) * (1 - random / 2);
}
