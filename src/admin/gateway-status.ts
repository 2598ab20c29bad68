import type { CertificateExpiry } from "../base/followed-tls.ts";
import type { DiscoveryStatus } from "../replicas/discovery/discovery.ts";
import type { ReplicaFacts } from "../replicas/facts.ts";
import type { Replica } from "../replicas/replica.ts";
import type { GroupCensus } from "../routing/group-census.ts";
import type { ActivityView } from "./activity.ts";
import type { PoolLoad } from "./load-route.ts";
import type { Readiness } from "./probes.ts";
import type { SwitchNumbers } from "./switch-metrics.ts";

/** A pool whose state can be told. */
export interface StatusPool {
  readonly name: string;
  readonly fleet: {
    replicas(): readonly Replica[];
    discovery(): readonly DiscoveryStatus[];
    facts(id: string): ReplicaFacts | undefined;
  };
  /** Its router counts the calls that belong to builds, and what it remembers. */
  readonly side: { readonly router: { readonly census: GroupCensus } };
  load(): PoolLoad;
  waiting(max: number): readonly { readonly key: string; readonly waitedMs: number; readonly cause: string }[];
  warmKeys(replicaId: string, max: number): { readonly keys: readonly string[]; readonly count: number };
}

/** What the state of a gateway is told from. */
export interface StatusSubjects {
  readonly version: string;
  readonly startedAt: Date;
  readonly now: () => Date;
  readonly nowMs: () => number;
  readonly readiness: () => Readiness;
  readonly pools: readonly StatusPool[];
  readonly census: () => SwitchNumbers;
  readonly activity: { view(): ActivityView };
  readonly expiries: () => readonly CertificateExpiry[];
}

/** The state of a gateway, for people and programs. Ages and times are in ms, times of day in RFC 3339. */
export type GatewayStatus = ReturnType<typeof gatewayStatus>;

/** Replicas of one pool that are told; ready ones beyond it are left out. */
const MAX_REPLICAS = 500;

const MAX_WAITING = 100;

const MAX_KEYS = 8;

/** Put together all that is known now. */
export function gatewayStatus(subjects: StatusSubjects) {
  const { version, startedAt, now, nowMs, readiness, pools, census, activity, expiries } = subjects;
  const ready = readiness();
  const text = ready.t === "ready" ? ready.note : ready.reason;
  return {
    version,
    at: now().toISOString(),
    startedAt: startedAt.toISOString(),
    isReady: ready.t === "ready",
    ...(text !== undefined && { note: text }),
    traffic: census(),
    pools: pools.map((pool) => poolStatus(pool, nowMs())),
    certificates: expiries().map(({ setting, expiresAt }) => ({ setting, expiresAt: expiresAt.toISOString() })),
    ...activity.view(),
  };
}

function poolStatus(pool: StatusPool, nowMs: number) {
  const { name, fleet } = pool;
  const replicas = fleet.replicas().filter(({ state, runningBuilds }) => state.t !== "gone" || runningBuilds > 0);
  return {
    name,
    ...pool.load(),
    groups: pool.side.router.census,
    discovery: fleet.discovery().map(({ ageMs, ...status }) => ({
      ...status,
      ...(ageMs !== undefined && { ageMs: Math.round(ageMs) }),
    })),
    replicaCount: replicas.length,
    replicas: replicas.slice(0, MAX_REPLICAS).map((replica) => {
      const { id, state, runningBuilds, nodeName, zone, isDrainedByOperator } = replica;
      const facts = fleet.facts(id);
      return {
        name: id,
        state: state.t,
        sinceMs: Math.round(nowMs - state.sinceMs),
        ...("reason" in state && { reason: state.reason }),
        running: runningBuilds,
        warm: pool.warmKeys(id, MAX_KEYS),
        ...(facts?.buildkitVersion && { version: facts.buildkitVersion }),
        ...(facts && { platforms: facts.platforms.slice(0, MAX_KEYS) }),
        ...(nodeName !== undefined && { nodeName }),
        ...(zone !== undefined && { zone }),
        ...(isDrainedByOperator && { isDrained: true }),
      };
    }),
    waiting: pool.waiting(MAX_WAITING),
  };
}
