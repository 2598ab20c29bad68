import { type Point, type Slope, theilSenSlope } from "./slope.ts";

/** What a measurement may grow by. */
export interface GrowthBound {
  /** In the whole time, however short: what a young process takes as it settles. */
  readonly once: number;
  /** And in each hour. */
  readonly perHour: number;
}

/** How much a measurement grew, and whether that is too much. */
export interface Growth {
  /** In an hour, at the rate that was seen. */
  readonly perHour: number;
  readonly lowPerHour: number;
  readonly highPerHour: number;
  /** Time that was looked at. */
  readonly overMs: number;
  /** What it may be in an hour at most, for that time. */
  readonly boundPerHour: number;
  /** It is more than it may be even at the lower end of its confidence interval. */
  readonly isTooMuch: boolean;
}

const HOUR_MS = 3_600_000;

/** The first part of a run, which is not looked at. */
export const WARM_UP_SHARE = 0.2;

/** Stretches that the rest is cut into: few, so that the collector runs in each, every 20 to 120 s under this load. */
const STRETCHES = 16;

/** Points in a stretch, at least. */
const POINTS_IN_STRETCH = 3;

/**
 * How a measurement grew after the warm-up.
 *
 * Memory goes up until the collector runs and down again, so each stretch of
 * time counts with its least value: close to what is really in use.
 */
export function judgeGrowth(points: readonly Point[], { once, perHour }: GrowthBound): Growth {
  const [first, last] = [points[0], points.at(-1)];
  const fromMs = first && last ? first.atMs + (last.atMs - first.atMs) * WARM_UP_SHARE : 0;
  const counted = points.filter(({ atMs }) => atMs >= fromMs);
  const lowest = lowestOfStretches(counted);
  const overMs = (counted.at(-1)?.atMs ?? 0) - (counted[0]?.atMs ?? 0);
  const slope: Slope = theilSenSlope(lowest);
  const boundPerHour = perHour + (overMs > 0 ? (once * HOUR_MS) / overMs : Number.POSITIVE_INFINITY);
  const lowPerHour = slope.lowPerMs * HOUR_MS;
  return {
    perHour: slope.perMs * HOUR_MS,
    lowPerHour,
    highPerHour: slope.highPerMs * HOUR_MS,
    overMs,
    boundPerHour,
    isTooMuch: lowPerHour > boundPerHour,
  };
}

function lowestOfStretches(points: readonly Point[]): Point[] {
  const size = Math.max(POINTS_IN_STRETCH, Math.ceil(points.length / STRETCHES));
  const lowest: Point[] = [];
  for (let at = 0; at + size <= points.length; at += size) {
    const stretch = points.slice(at, at + size);
    lowest.push(stretch.reduce((least, point) => (point.value < least.value ? point : least)));
  }
  return lowest;
}
