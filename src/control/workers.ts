import { createHash } from "node:crypto";
import { GatewayError } from "../base/errors.ts";
import { ProtobufError, readFields } from "../buildkit/protobuf-reader.ts";
import { lengthField, mapEntryField } from "../buildkit/protobuf-writer.ts";
import { controlRpcs } from "../buildkit/wire-contracts.ts";
import type { ReplicaFacts } from "../replicas/facts.ts";
import type { Fleet } from "../replicas/fleet.ts";
import { acceptsBuilds } from "../replicas/replica.ts";
import type { FacadeOptions } from "./facade.ts";

/** What is asked of the fleet. */
export type WorkersFleet = Pick<
  Fleet,
  "replicas" | "facts" | "representative" | "firstContact" | "client" | "architectureConflict"
>;

/** Fields of a `WorkerRecord` (moby/buildkit api/types/worker.proto). */
const ID_FIELD = 1;
const LABELS_FIELD = 2;

const HOSTNAME_LABEL = "org.mobyproject.buildkit.worker.hostname";

/** Who made the record, as a hostname: builds of one worker run on any of several machines. */
const GATEWAY_NAME = "buildkit-gateway";

/** `Info` of the whole fleet, from memory. */
export async function fleetInfo(_request: Buffer, _cancelled: AbortSignal, { fleet }: FacadeOptions): Promise<Buffer> {
  await fleet.firstContact();
  requireOneArchitecture(fleet);
  return fleet.representative().infoBytes;
}

/**
 * `ListWorkers` of the whole fleet, from memory: one worker for each set of
 * platforms that replicas have. A filter is the daemon's own language
 * (containerd's): a replica reads it, and lists its own workers.
 */
export async function fleetWorkers(
  request: Buffer,
  cancelled: AbortSignal,
  { fleet, timeoutMs, version, poolName }: FacadeOptions & { readonly fleet: Pick<Fleet, "describe"> },
): Promise<Buffer> {
  await fleet.firstContact();
  requireOneArchitecture(fleet);
  if (request.length > 0) {
    const ready = fleet.replicas().find((replica) => acceptsBuilds(replica) && fleet.client(replica.id));
    const client = ready && fleet.client(ready.id);
    if (!client) throw new GatewayError("no_replica", `no replica can be asked: ${fleet.describe()}`);
    return await client.call(controlRpcs.ListWorkers, request, { timeoutMs, signal: cancelled });
  }
  return Buffer.concat(platformSets(fleet).map((set) => workerOf(set, version, poolName)));
}

function requireOneArchitecture(fleet: WorkersFleet): void {
  const conflict = fleet.architectureConflict;
  if (conflict !== undefined) throw new GatewayError("misconfigured", conflict);
}

/** Replicas that build for the same platforms. */
interface PlatformSet {
  /** What the first of them by id says. */
  readonly facts: ReplicaFacts;
  /** 0 where no replica is ready: what was known last is said. */
  replicas: number;
}

/** The set of the fleet's representative comes first: a client takes the first worker's platform as the default. */
function platformSets(fleet: WorkersFleet): PlatformSet[] {
  const sets = new Map<string, PlatformSet>();
  for (const replica of fleet.replicas()) {
    const facts = acceptsBuilds(replica) ? fleet.facts(replica.id) : undefined;
    if (!facts) continue;
    const key = setKey(facts);
    const set = sets.get(key) ?? { facts, replicas: 0 };
    set.replicas++;
    sets.set(key, set);
  }
  return sets.size > 0 ? [...sets.values()] : [{ facts: fleet.representative(), replicas: 0 }];
}

/** Keys of facts: they are asked for again with every call, of every replica. */
const SET_KEYS = new WeakMap<ReplicaFacts, string>();

/** Platforms without their order, but for the first, which is the machine's own. */
function setKey(facts: ReplicaFacts): string {
  const known = SET_KEYS.get(facts);
  if (known !== undefined) return known;
  const [own = "", ...emulated] = facts.platforms;
  const key = [own, ...emulated.toSorted()].join();
  SET_KEYS.set(facts, key);
  return key;
}

/**
 * A replica's first worker with an id and labels of the fleet's: the id is made
 * of the pool's name and the platforms, the same at every gateway.
 */
function workerOf({ facts, replicas }: PlatformSet, version: string, poolName: string): Buffer {
  const hash = createHash("sha256")
    .update(`${poolName}\n${setKey(facts)}`)
    .digest("hex");
  const record = Buffer.concat([
    firstRecord(facts.workersBytes),
    lengthField(ID_FIELD, Buffer.from(`${GATEWAY_NAME}-${hash.slice(0, 16)}`)),
    mapEntryField(LABELS_FIELD, HOSTNAME_LABEL, GATEWAY_NAME),
    mapEntryField(LABELS_FIELD, "buildkit-gateway.pool", poolName),
    mapEntryField(LABELS_FIELD, "buildkit-gateway.replicas", `${replicas}`),
    mapEntryField(LABELS_FIELD, "buildkit-gateway.version", version),
  ]);
  return lengthField(1, record);
}

/** The first `WorkerRecord` of a `ListWorkersResponse`, as it came; empty where there is none. */
function firstRecord(workersBytes: Buffer): Buffer {
  try {
    for (const { number, bytes } of readFields(workersBytes)) if (number === 1) return bytes;
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
  }
  return Buffer.alloc(0);
}
