import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { WorkerRecord } from "../buildkit/wire-contracts.ts";

/** What a replica told us about itself. Answers are kept in bytes, to be handed on as they came. */
export interface ReplicaFacts {
  /** Its `InfoResponse`. */
  readonly infoBytes: Buffer;
  /** Its `ListWorkersResponse`. */
  readonly workersBytes: Buffer;
  /** Its answer to a frontend's Ping (`PongResponse`). Absent: it gave none. */
  readonly pongBytes: Buffer | undefined;
  /** Empty where it names none. */
  readonly buildkitVersion: string;
  /** Its first worker's id. Empty where it lists none. */
  readonly workerId: string;
  /** Platforms that its workers build for, such as `linux/arm64/v8`; its own comes first. */
  readonly platforms: readonly string[];
}

/** Bound of the probe for a Pong; the daemon itself waits 3 s for a build that a Ping names. */
const PONG_TIMEOUT_MS = 5_000;

/** Ask a replica for its facts. Rejects with a ServiceError; a missing Pong is left out. */
export async function askFacts(client: ReplicaClient, timeoutMs: number): Promise<ReplicaFacts> {
  const [info, workers, pongBytes] = await Promise.all([
    client.info(timeoutMs),
    client.listWorkers(timeoutMs),
    client.pong(PONG_TIMEOUT_MS).catch(() => undefined),
  ]);
  return {
    infoBytes: info.bytes,
    workersBytes: workers.bytes,
    pongBytes,
    buildkitVersion: info.value?.version ?? "",
    workerId: workers.value[0]?.ID ?? "",
    platforms: [...new Set(workers.value.flatMap(platformNames))],
  };
}

function platformNames({ platforms }: WorkerRecord): string[] {
  return platforms.map(({ OS, Architecture, Variant }) => [OS, Architecture, Variant].filter(Boolean).join("/"));
}
