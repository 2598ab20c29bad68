/** A measurement at a time. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** How a measurement changes with time, in its unit per millisecond. */
export interface Slope {
  /** The median of the slopes of all pairs of points. */
  readonly perMs: number;
  /** Ends of its 95 % confidence interval. */
  readonly lowPerMs: number;
  readonly highPerMs: number;
}

/** Standard deviations to both sides that hold 95 % of a normal distribution. */
const DEVIATIONS = 1.96;

/**
 * The slope of points by Theil and Sen, which up to 29 % of wild points do not
 * move, with Sen's confidence interval (P. K. Sen, Journal of the American
 * Statistical Association 63, 1968: ranks by the variance of Kendall's tau).
 *
 * The interval takes the points for independent of one another. With fewer than
 * three points nothing is known: the interval has no ends.
 */
export function theilSenSlope(points: readonly Point[]): Slope {
  const slopes: number[] = [];
  for (const [index, { atMs, value }] of points.entries()) {
    for (const later of points.slice(index + 1)) {
      if (later.atMs !== atMs) slopes.push((later.value - value) / (later.atMs - atMs));
    }
  }
  const count = points.length;
  if (count < 3 || slopes.length === 0) {
    return { perMs: 0, lowPerMs: Number.NEGATIVE_INFINITY, highPerMs: Number.POSITIVE_INFINITY };
  }
  slopes.sort((a, b) => a - b);
  const reach = DEVIATIONS * Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18);
  const at = (rank: number, outside: number): number => slopes[rank] ?? outside;
  return {
    perMs: median(slopes),
    lowPerMs: at(Math.floor((slopes.length - reach) / 2) - 1, Number.NEGATIVE_INFINITY),
    highPerMs: at(Math.ceil((slopes.length + reach) / 2), Number.POSITIVE_INFINITY),
  };
}

function median(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
