import type { BuildGroupsOptions } from "./build-groups-options.ts";
import type { BuildKeys } from "./build-keys.ts";
import type { StartBuild } from "./group-load.ts";
import type { RoutedClient } from "./routed-call.ts";

/** What hears of running builds. */
export type RunningBuildOptions = Pick<BuildGroupsOptions, "fleet" | "placer" | "warmth">;

/**
 * Makes builds count: as load of their replica, and as one more of their key.
 * What has succeeded has warmed its replica.
 */
export function buildStarter({ fleet, placer, warmth }: RunningBuildOptions, keys: BuildKeys): StartBuild {
  return (replicaId, call, solve) => {
    const key = keys.keyOf(solve);
    const endLoad = fleet.buildStarted(replicaId, solve.buildRef);
    const endTurn = placer.buildStarted(fairKey(key, call.client));
    return () => {
      // First: what the end of its load lets go may be of the same key.
      if (key !== undefined && call.hasSucceeded) warmth.built(key, replicaId);
      endTurn();
      endLoad();
    };
  };
}

/** Whose turn a build takes in the queue. */
export function fairKey(key: string | undefined, { host }: RoutedClient): string {
  return key ?? `client:${host}`;
}
