import type { RecordedBuild } from "../lab/control-client.ts";

/** The most of these builds that ran at one moment, by the clock of the daemon that ran them. */
export function mostAtOnce(builds: readonly RecordedBuild[]): number {
  const moments = builds.flatMap(({ createdAtMs, completedAtMs = Number.POSITIVE_INFINITY }) => [
    { atMs: createdAtMs, change: 1 },
    { atMs: completedAtMs, change: -1 },
  ]);
  // One that ends when another begins makes room first.
  moments.sort((a, b) => a.atMs - b.atMs || a.change - b.change);
  let running = 0;
  return moments.reduce((most, { change }) => {
    running += change;
    return Math.max(most, running);
  }, 0);
}
