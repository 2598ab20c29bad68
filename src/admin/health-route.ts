import type { CertificateExpiry } from "../base/followed-tls.ts";
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

/** What is said of one certificate. */
interface CertificateAnswer {
  readonly setting: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** What the gateway's own health is told from. */
export interface HealthSubjects {
  readonly version: string;
  readonly pools: readonly HealthPool[];
  readonly readiness: () => Readiness;
  readonly expiries: () => readonly CertificateExpiry[];
  readonly now: () => Date;
}

/** A certificate that ends this soon needs a look: as long as the alert rule of deploy/ has it. */
const SOON_MS = 7 * 86_400_000;

/** `ok`: all is well. `degraded`: it takes builds, and something needs a look. `down`: it takes none. */
export type HealthStatus = "ok" | "degraded" | "down";

/**
 * `GET /debug/health`: the gateway, what it knows of its replicas and how well
 * it knows it, and its certificates. 503 where `/readyz` says so.
 */
export function healthRoute({ version, pools, readiness, expiries, now }: HealthSubjects): AdminRoutes {
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
        const ready = readiness();
        const isEnding = expiries().some(({ expiresAt }) => expiresAt.getTime() - now().getTime() < SOON_MS);
        const status = statusOf(ready, isEnding, discovery, replicas);
        const gateway = gatewayAnswer(version, ready);
        const certificates = expiries().map(
          ({ setting, expiresAt }): CertificateAnswer => ({ setting, expiresAt: expiresAt.toISOString() }),
        );
        const answer: HealthAnswer = { status, gateway, discovery, replicas, certificates };
        respondJson(response, status === "down" ? 503 : 200, answer);
      },
    },
  };
}

/** What `/debug/health` says. */
export interface HealthAnswer {
  readonly status: HealthStatus;
  readonly gateway: ReturnType<typeof gatewayAnswer>;
  readonly discovery: readonly DiscoveryAnswer[];
  readonly replicas: readonly ReplicaAnswer[];
  readonly certificates: readonly CertificateAnswer[];
}

function gatewayAnswer(version: string, readiness: Readiness) {
  const reason = readiness.t === "ready" ? readiness.note : readiness.reason;
  return { version, isReady: readiness.t === "ready", ...(reason !== undefined && { reason }) };
}

function statusOf(
  readiness: Readiness,
  isCertificateEnding: boolean,
  discovery: readonly DiscoveryAnswer[],
  replicas: readonly ReplicaAnswer[],
): HealthStatus {
  if (readiness.t !== "ready") return "down";
  const isOdd =
    readiness.note !== undefined ||
    isCertificateEnding ||
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
