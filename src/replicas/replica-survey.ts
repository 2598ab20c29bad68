import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { Fleet } from "./fleet.ts";
import type { Replica } from "./replica.ts";

/** A replica that belongs to the fleet and cannot be asked, and why. */
export interface MissingReplica {
  readonly id: string;
  /** For people. */
  readonly reason: string;
}

/** Who is asked when the whole fleet has to answer. */
export interface Survey {
  /**
   * Ready and draining ones; of those that discovery has dropped, the ones that are still followed. A client is the
   * fleet's own, for small answers; absent while its connection is made anew.
   */
  readonly asked: readonly { readonly id: string; readonly client: ReplicaClient | undefined }[];
  /** Those that discovery reports and that cannot be asked: what they have is not known. */
  readonly missing: readonly MissingReplica[];
}

/** See who can be asked now, in order of their ids. */
export function surveyReplicas(fleet: Pick<Fleet, "replicas" | "client">): Survey {
  const asked: { id: string; client: ReplicaClient | undefined }[] = [];
  const missing: MissingReplica[] = [];
  for (const replica of fleet.replicas()) {
    const { id, state } = replica;
    const client = fleet.client(id);
    if (state.t === "ready" || state.t === "draining" || (state.t === "gone" && client)) asked.push({ id, client });
    else if (state.t !== "gone") missing.push({ id, reason: whyMissing(replica) });
  }
  return { asked, missing };
}

function whyMissing({ state }: Replica): string {
  return state.t === "ejected" ? state.reason : "it has not answered yet";
}

/** Missing replicas for people: `replica a (reason), replica b (reason) and 3 more`. */
export function describeMissing(missing: readonly MissingReplica[]): string {
  const MAX_NAMED = 5;
  const named = missing.slice(0, MAX_NAMED).map(({ id, reason }) => `replica ${id} (${reason})`);
  const more = missing.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
