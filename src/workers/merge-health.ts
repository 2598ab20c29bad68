import type { HealthAnswer, HealthStatus } from "../admin/health-route.ts";
import { byId, leastWell } from "./least-well.ts";
import { firstToEnd, mergeNotes } from "./merge-status.ts";

/** What one worker says of its health. */
export interface WorkerHealth {
  readonly worker: number;
  readonly health: HealthAnswer;
}

/** The worst last. */
const STATUSES: readonly HealthStatus[] = ["ok", "degraded", "down"];

/** The health of several workers, at least one, as that of one gateway: the worst of each. */
export function mergeHealth(told: readonly [WorkerHealth, ...WorkerHealth[]]): HealthAnswer {
  const all = told.map(({ health }) => health);
  const reason = mergeNotes(told.map(({ worker, health }) => ({ worker, text: health.gateway.reason })));
  return {
    status: STATUSES[Math.max(...all.map(({ status }) => STATUSES.indexOf(status)))]!,
    gateway: {
      version: told[0].health.gateway.version,
      isReady: all.every(({ gateway }) => gateway.isReady),
      ...(reason !== undefined && { reason }),
    },
    discovery: byId(
      all.flatMap(({ discovery }) => discovery),
      ({ pool, source }) => `${pool}\n${source}`,
    ).map((ways) => ways.find(({ state }) => state !== "live") ?? ways[0]),
    replicas: byId(
      all.flatMap(({ replicas }) => replicas),
      ({ pool, replica }) => `${pool}\n${replica}`,
    ).map(leastWell),
    certificates: byId(
      all.flatMap(({ certificates }) => certificates),
      ({ setting }) => setting,
    ).map(firstToEnd),
  };
}
