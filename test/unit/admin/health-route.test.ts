import { expect, test } from "vitest";
import { type HealthPool, healthRoute } from "../../../src/admin/health-route.ts";
import type { Readiness } from "../../../src/admin/probes.ts";
import type { CertificateExpiry } from "../../../src/base/followed-tls.ts";
import type { DiscoveryStatus } from "../../../src/replicas/discovery/discovery.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import { serveJson } from "./admin-rig.ts";

const LIVE: DiscoveryStatus = { source: "Kubernetes discovery of ci/buildkit", state: "live", ageMs: 1.4 };

function replica(id: string, state: Replica["state"], more: Partial<Replica> = {}): Replica {
  const address = { t: "tcp", host: "10.0.0.1", port: 1234 } as const;
  return { id, address, state, identity: "", runningBuilds: 0, unconfirmedBuilds: 0, ...more };
}

const READY = replica("a", { t: "ready", sinceMs: 0 });

function pool(discovery: readonly DiscoveryStatus[], replicas: readonly Replica[], version?: string): HealthPool {
  const facts = () => (version === undefined ? undefined : { buildkitVersion: version });
  return { name: "default", fleet: { discovery: () => discovery, replicas: () => replicas, facts } };
}

const NOW = new Date("2026-11-26T00:00:00Z");

function inDays(days: number): CertificateExpiry {
  return { setting: "tls.cert", expiresAt: new Date(NOW.getTime() + days * 86_400_000) };
}

async function health(
  pools: readonly HealthPool[],
  readiness: Readiness = { t: "ready" },
  expiries: readonly CertificateExpiry[] = [inDays(30)],
) {
  const subjects = { version: "1.2.3", pools, readiness: () => readiness, expiries: () => expiries, now: () => NOW };
  const { ask } = await serveJson(healthRoute(subjects));
  return ask("/debug/health");
}

test("a gateway whose replicas are well is ok, with where they are and how old the news is", async () => {
  const placed = { ...READY, nodeName: "node-1", zone: "eu-1a" };
  expect(await health([pool([LIVE], [placed])])).toEqual({
    status: 200,
    body: {
      status: "ok",
      gateway: { version: "1.2.3", isReady: true },
      certificates: [{ setting: "tls.cert", expiresAt: "2026-12-26T00:00:00.000Z" }],
      discovery: [{ pool: "default", source: LIVE.source, state: "live", ageMs: 1 }],
      replicas: [{ pool: "default", replica: "a", state: "ready", nodeName: "node-1", zone: "eu-1a" }],
    },
  });
});

const REASON = "403: no";

test.each([
  ["discovery that is stale", [pool([{ ...LIVE, state: "stale", reason: REASON }], [READY])]],
  ["discovery that has no answer yet", [pool([{ source: "DNS", state: "syncing" }], [READY])]],
  ["discovery that finds endpoints of no use", [pool([{ ...LIVE, reason: REASON }], [READY])]],
  ["a replica that is out", [pool([LIVE], [READY, replica("b", { t: "ejected", sinceMs: 0, reason: REASON })])]],
])("%s makes it degraded", async (_what, pools) => {
  const { status, body } = await health(pools);
  expect([status, body.status]).toEqual([200, "degraded"]);
});

test("a note of readiness makes it degraded, and what is not ready is down", async () => {
  expect((await health([], { t: "ready", note: "builds wait" })).body.status).toBe("degraded");
  const { status, body } = await health([pool([LIVE], [READY])], { t: "not_ready", reason: "draining" });
  expect([status, body.status]).toEqual([503, "down"]);
  expect(body.gateway).toEqual({ version: "1.2.3", isReady: false, reason: "draining" });
});

test.each([
  [-1, "degraded"],
  [6, "degraded"],
  [8, "ok"],
])("a certificate that ends in %d days makes it %s", async (days, expected) => {
  const { body } = await health([pool([LIVE], [READY])], { t: "ready" }, [inDays(30), inDays(days)]);
  expect(body.status).toBe(expected);
});

test("the version of each replica is told where it is known", async () => {
  const versionOf = async (version?: string) =>
    (await health([pool([LIVE], [READY], version)])).body.replicas[0].version;
  expect([await versionOf("v0.25.0"), await versionOf(""), await versionOf()]).toEqual([
    "v0.25.0",
    undefined,
    undefined,
  ]);
});

test("reasons are told", async () => {
  const draining = replica("b", { t: "draining", sinceMs: 0, reason: "drained by an operator" });
  const { body } = await health([pool([{ ...LIVE, state: "stale", reason: REASON }], [draining])]);
  expect(body.discovery[0].reason).toBe(REASON);
  expect(body.replicas).toEqual([
    { pool: "default", replica: "b", state: "draining", reason: "drained by an operator" },
  ]);
});
