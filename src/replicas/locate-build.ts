import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { Replica } from "./replica.ts";

/** A replica that can be asked, while it has a client. */
export interface AskedReplica {
  readonly replica: Replica;
  readonly client: ReplicaClient | undefined;
}

/** Find the id of the replica that runs a build or has it in its history, asking all at once that may know. */
export async function locateBuild(
  replicas: readonly AskedReplica[],
  buildRef: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const ending = new AbortController();
  const asked = replicas.flatMap(({ replica: { id, state }, client }) =>
    client && (state.t === "ready" || state.t === "draining")
      ? [{ id, answer: client.knowsBuild(buildRef, { timeoutMs, signal: ending.signal }) }]
      : [],
  );
  try {
    return await Promise.any(
      asked.map(async ({ id, answer }) => {
        if (await answer) return id;
        throw new Error("not here");
      }),
    );
  } catch {
    return undefined;
  } finally {
    ending.abort();
  }
}
