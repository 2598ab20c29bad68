/** Octets that are put in the place of others, in this order. */
const PLAIN_OCTETS = [0, 0x20, 0x61];

/**
 * The smallest input found that still fails: parts are left out, then octets
 * made plain, until nothing helps or `isTimeOver`.
 */
export async function shrink(
  input: Buffer,
  fails: (candidate: Buffer) => Promise<boolean>,
  isTimeOver: () => boolean,
): Promise<Buffer> {
  let best = input;
  const isBetter = async (candidate: Buffer): Promise<boolean> => {
    if (isTimeOver() || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = best.length >> 1 || 1; size >= 1 && !isTimeOver(); size >>= 1) {
    for (let at = 0; at < best.length && !isTimeOver(); ) {
      const isLess = await isBetter(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
      if (!isLess) at += size;
    }
  }
  for (let at = 0; at < best.length && !isTimeOver(); at++) {
    for (const octet of PLAIN_OCTETS) {
      if (best[at] === octet) break;
      const plainer = Buffer.from(best);
      plainer[at] = octet;
      if (await isBetter(plainer)) break;
    }
  }
  return best;
}
