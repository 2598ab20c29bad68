import type { DiscoveryStatus } from "../replicas/discovery/discovery.ts";
import type { ReplicaFacts } from "../replicas/facts.ts";
import type { Replica } from "../replicas/replica.ts";
import type { Readiness } from "./probes.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, respondJson } from "./routes.ts";

/** A pool whose health can be asked for. */
export interface HealthPool {
  readonly name: string;
  readonly fleet: {
    replicas(): readonly Replica[];
    discovery(): readonly DiscoveryStatus[];
    facts(id: string): Pick<ReplicaFacts, "buildkitVersion"> | undefined;
  };
}

/** What is said of one way that a pool finds its replicas. */
interface DiscoveryAnswer extends DiscoveryStatus {
  readonly pool: string;
}

/** What is said of one replica. */
interface ReplicaAnswer {
  readonly pool: string;
  readonly replica: string;
  readonly state: Replica["state"]["t"];
  /** Why it is ejected or draining. */
  readonly reason?: string;
  /** BuildKit's, as it told it last. */
  readonly version?: string;
  readonly nodeName?: string;
  readonly zone?: string;
}

/** `ok`: all is well. `degraded`: it takes builds, and something needs a look. `down`: it takes none. */
type HealthStatus = "ok" | "degraded" | "down";

/**
 * `GET /debug/health`: what the gateway knows of its replicas, and how well it
 * knows it. 503 where `/readyz` says so.
 */
export function healthRoute(pools: readonly HealthPool[], isReady: () => Readiness): AdminRoutes {
  return {
    "/debug/health": {
      methods: ["GET", "HEAD"],
      handle: ({ query }, response) => {
        readQuery(query, []);
        const discovery = pools.flatMap(({ name, fleet }) =>
          fleet.discovery().map((status): DiscoveryAnswer => ({ pool: name, ...roundAge(status) })),
        );
        const replicas = pools.flatMap(({ name, fleet }) =>
          fleet.replicas().map((replica) => answerOf(name, replica, fleet.facts(replica.id)?.buildkitVersion)),
        );
        const status = statusOf(isReady(), discovery, replicas);
        respondJson(response, status === "down" ? 503 : 200, { status, discovery, replicas });
      },
    },
  };
}

function statusOf(
  readiness: Readiness,
  discovery: readonly DiscoveryAnswer[],
  replicas: readonly ReplicaAnswer[],
): HealthStatus {
  if (readiness.t !== "ready") return "down";
  const isOdd =
    readiness.note !== undefined ||
    discovery.some(({ state, reason }) => state !== "live" || reason !== undefined) ||
    replicas.some(({ state }) => state === "ejected");
  return isOdd ? "degraded" : "ok";
}

function answerOf(pool: string, { id, state, nodeName, zone }: Replica, version = ""): ReplicaAnswer {
  return {
    pool,
    replica: id,
    state: state.t,
    ...("reason" in state && { reason: state.reason }),
    ...(version !== "" && { version }),
    ...(nodeName !== undefined && { nodeName }),
    ...(zone !== undefined && { zone }),
  };
}

function roundAge({ ageMs, ...status }: DiscoveryStatus): DiscoveryStatus {
  return { ...status, ...(ageMs !== undefined && { ageMs: Math.round(ageMs) }) };
}
