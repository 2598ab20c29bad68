const BYTES_PER_UNIT: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/**
 * Read a size with its unit, in bytes: `512B`, `16KiB`, `64MiB`, `1.5GiB`; `0` needs no unit.
 *
 * Throws an Error whose message says what is wrong and how to write it.
 */
export function parseBytes(text: string): number {
  if (text === "0") return 0;
  const match = /^(\d{1,16}(?:\.\d{1,9})?)(B|KiB|MiB|GiB)$/.exec(text);
  if (!match) throw new Error(`not a size: ${JSON.stringify(text)} (write 512B, 16KiB, 64MiB or 1GiB)`);
  const sizeBytes = Math.round(Number(match[1]) * BYTES_PER_UNIT[match[2]!]!);
  if (!Number.isSafeInteger(sizeBytes)) throw new Error(`too large: ${JSON.stringify(text)}`);
  return sizeBytes;
}

/** Write a number of bytes in the largest unit that leaves it whole, the way {@link parseBytes} reads it. */
export function formatBytes(sizeBytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const amount = sizeBytes / BYTES_PER_UNIT[unit]!;
    if (amount >= 1 && Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return `${sizeBytes}B`;
}
