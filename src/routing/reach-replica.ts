import type { GatewayError } from "../base/errors.ts";
import type { BuildGroup } from "./build-group.ts";
import type { PlacementReason } from "./placement-reason.ts";
import type { PlacementPurpose, PlacementRequest, Placer } from "./placer.ts";
import type { RoutedClient } from "./routed-call.ts";

/** How a group comes to a replica. */
export interface ReachOptions {
  readonly placer: Placer;
  /** A replica could not be reached. */
  readonly reportFailure: (replicaId: string, reason: string) => void;
  /** Whose connection the replica is reached through. */
  readonly client: RoutedClient;
  readonly purpose: PlacementPurpose;
  /** What the build's cache is known by. */
  readonly key: string | undefined;
  /** Whose turn it takes in the queue. */
  readonly fairKey: string;
  /** Builds of this fair key that may run at once, in place of the usual number. */
  readonly perKey: number | undefined;
  /** The replica that the client's builds follow; the placer is asked when it cannot be reached. */
  readonly follow: string | undefined;
}

/** It went where its client's builds go. */
interface Followed {
  readonly t: "followed";
}

/** A replica that is connected to, or why there is none; `aborted` where nobody wants it any more. */
export type ReachOutcome =
  | { readonly t: "reached"; readonly replicaId: string; readonly reason: PlacementReason | Followed }
  | { readonly t: "refused"; readonly error: GatewayError }
  | { readonly t: "aborted" };

/**
 * Find a replica for a group that takes its client's connection. One that
 * cannot be reached is reported, and excluded until the others have been tried:
 * no byte of the group has been sent before. Rejects only as the placer does.
 */
export async function reachReplica(
  group: BuildGroup,
  { placer, reportFailure, client, purpose, key, fairKey, perKey, follow }: ReachOptions,
): Promise<ReachOutcome> {
  const signal = group.beginPlacing(client);
  const excluded = new Map<string, string>();
  const request: PlacementRequest = {
    purpose,
    key,
    fairKey,
    perKey,
    excluded,
    onChosen: (replicaId) => group.expectAt(replicaId),
    onWaiting: (waiting) => group.waits(waiting),
  };
  let followed = follow;
  for (;;) {
    const outcome =
      followed === undefined
        ? await placer.place(request, signal)
        : ({ t: "placed", replicaId: followed, reason: { t: "followed" } } as const);
    followed = undefined;
    if (signal.aborted) return { t: "aborted" };
    if (outcome.t === "refused") return outcome;
    const { replicaId, reason } = outcome;
    group.expectAt(replicaId);
    const connected = await client.connect(replicaId);
    if (signal.aborted) return { t: "aborted" };
    if (connected.t === "connected") return { t: "reached", replicaId, reason };
    group.expectAt(undefined);
    reportFailure(replicaId, connected.reason);
    // It was chosen once more: another round has begun, in which the others have their turn again too.
    if (excluded.has(replicaId)) excluded.clear();
    excluded.set(replicaId, connected.reason);
  }
}
