import type { GatewayStatus } from "../admin/gateway-status.ts";
import { byId, leastWell } from "./least-well.ts";

/** What one worker says of itself. */
export interface WorkerStatus {
  readonly worker: number;
  readonly status: GatewayStatus;
}

type PoolStatus = GatewayStatus["pools"][number];
type ReplicaStatus = PoolStatus["replicas"][number];

/** As many as one gateway tells of (admin/activity.ts, admin/gateway-status.ts). */
const MAX_ENDED = 50;
const MAX_FAILURES = 20;
const MAX_WAITING = 100;

/**
 * The state of several workers, at least one, as that of one gateway: what each does is put together, what all look at
 * is told once. Of two that see a replica differently, the one counts that thinks least of it.
 */
export function mergeStatus(told: readonly [WorkerStatus, ...WorkerStatus[]]): GatewayStatus {
  const statuses = told.map(({ status }) => status);
  const note = mergeNotes(told.map(({ worker, status }) => ({ worker, text: status.note })));
  const latestFirst = (one: { endedAt: string }, other: { endedAt: string }) => (one.endedAt < other.endedAt ? 1 : -1);
  return {
    version: told[0].status.version,
    at: max(statuses.map(({ at }) => at)),
    startedAt: min(statuses.map(({ startedAt }) => startedAt)),
    isReady: statuses.every(({ isReady }) => isReady),
    ...(note !== undefined && { note }),
    traffic: sumTraffic(statuses.map(({ traffic }) => traffic)),
    pools: byId(
      statuses.flatMap(({ pools }) => pools),
      ({ name }) => name,
    ).map(mergePools),
    certificates: byId(
      statuses.flatMap(({ certificates }) => certificates),
      ({ setting }) => setting,
    ).map(firstToEnd),
    running: statuses.flatMap(({ running }) => running),
    ended: statuses
      .flatMap(({ ended }) => ended)
      .sort(latestFirst)
      .slice(0, MAX_ENDED),
    failures: statuses
      .flatMap(({ failures }) => failures)
      .sort(latestFirst)
      .slice(0, MAX_FAILURES),
    minutes: byId(
      statuses.flatMap(({ minutes }) => minutes),
      ({ at }) => at,
    )
      .map((minutes) => mergeMinutes(minutes))
      .sort((one, other) => (one.at < other.at ? -1 : 1)),
  };
}

/** What workers say for people: once where all say the same, else with who says it. `undefined` where none says anything. */
export function mergeNotes(
  notes: readonly { readonly worker: number; readonly text: string | undefined }[],
): string | undefined {
  const texts = new Set(notes.map(({ text }) => text));
  if (texts.size === 1) return notes[0]?.text;
  const said = notes.filter(({ text }) => text !== undefined).map(({ worker, text }) => `worker ${worker}: ${text}`);
  return said.length === 0 ? undefined : said.join("; ");
}

/** Of what several workers say of one certificate, the earliest end: one of them may not have a new one yet. */
export function firstToEnd<T extends { readonly expiresAt: string }>(told: readonly T[]): T {
  return told.reduce((first, one) => (one.expiresAt < first.expiresAt ? one : first));
}

function mergePools(pools: readonly [PoolStatus, ...PoolStatus[]]): PoolStatus {
  const [first] = pools;
  return {
    ...first,
    queued: pools.reduce((sum, { queued }) => sum + queued, 0),
    groups: sumFields(pools.map(({ groups }) => groups)),
    running: Math.max(...pools.map(({ running }) => running)),
    readyReplicas: Math.max(...pools.map(({ readyReplicas }) => readyReplicas)),
    discovery: byId(
      pools.flatMap(({ discovery }) => discovery),
      ({ source }) => source,
    ).map((told) => told.find(({ state }) => state !== "live") ?? told[0]),
    replicaCount: Math.max(...pools.map(({ replicaCount }) => replicaCount)),
    replicas: byId(
      pools.flatMap(({ replicas }) => replicas),
      ({ name }) => name,
    ).map(mergeReplicas),
    waiting: pools
      .flatMap(({ waiting }) => waiting)
      .sort((one, other) => other.waitedMs - one.waitedMs)
      .slice(0, MAX_WAITING),
  };
}

function mergeReplicas(told: readonly ReplicaStatus[]): ReplicaStatus {
  const warmest = told.reduce((most, one) => (one.warm.count > most.warm.count ? one : most));
  return {
    ...leastWell(told),
    running: Math.max(...told.map(({ running }) => running)),
    warm: warmest.warm,
    ...(told.some(({ isDrained }) => isDrained) && { isDrained: true }),
  };
}

type Minute = GatewayStatus["minutes"][number];

function mergeMinutes(minutes: readonly [Minute, ...Minute[]]): Minute {
  const { at, waitMs: _ofOne, ...counts } = minutes[0];
  const others = minutes.slice(1).map(({ at: _at, waitMs: _waitMs, ...rest }) => rest);
  return { at, ...sumFields([counts, ...others]), waitMs: Math.max(...minutes.map(({ waitMs }) => waitMs)) };
}

type Traffic = GatewayStatus["traffic"];

function sumTraffic(all: readonly Traffic[]): Traffic {
  const limitHits = sumFields(all.map((traffic) => traffic.limitHits));
  return { ...sumFields(all.map(({ limitHits: _, ...numbers }) => numbers)), limitHits };
}

/** Add up records of numbers, field by field. */
function sumFields<T extends { readonly [K in keyof T]: number }>(records: readonly T[]): T {
  const sum = { ...records[0]! } as Record<keyof T, number>;
  for (const record of records.slice(1)) {
    for (const key of Object.keys(record) as (keyof T)[]) sum[key] += record[key];
  }
  return sum as T;
}

function max(texts: readonly string[]): string {
  return texts.reduce((most, text) => (text > most ? text : most));
}

function min(texts: readonly string[]): string {
  return texts.reduce((least, text) => (text < least ? text : least));
}
