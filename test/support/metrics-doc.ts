import type { Registry } from "prom-client";
import { makeMetrics } from "../../src/configured-metrics.ts";
import { LIMIT_NAMES } from "../../src/dataplane/over-limit.ts";
import { makeCrewMetrics } from "../../src/workers/crew-metrics.ts";

/** Where the text lives. */
export const METRICS_DOC = new URL("../../docs/metrics.md", import.meta.url);

const INTRODUCTION = `<!-- Generated from the program's metrics by test/support/generate-docs.ts. Change them, not this file. -->

# Metrics

\`GET /metrics\` of the admin port, and \`/debug/metrics\`. Labels are from closed sets, but for \`replica\` and \`source\`, which are
as many as there are, and \`repository\`, which has series of its own for \`metrics.repositories\` and is else \`other\` or \`unknown\`.

| Label | |
|---|---|
| \`pool\` | a pool's name; \`default\` where there are none |
| \`result\` of a build | \`succeeded\`, \`failed\`, \`cancelled\`, \`lost\` (its replica or connection went away), \`refused\` (by the gateway: queue, policy, limits) |
| \`reason\` | \`warm\`, \`preferred\`, \`spilled\`, \`least loaded\` ([placement.md](placement.md)), \`followed\` (an earlier build of its client ran there), \`none\` (it ran nowhere) |
| \`rpc\` | a method of BuildKit's Control, a service's name (\`LLBBridge\`, \`Content\`, \`TraceService\`, \`Health\`, \`ServerReflection\`), or \`other\` |
| \`status\` | gRPC's, by name; \`none\` where an answer had none |
| \`limit\` | a setting under \`limits\` ([limits.md](limits.md)) |
| \`said_by\` | \`replica\`; \`gateway\`, also where it answers for the fleet; \`client\`: it cancelled |

The **warm share** is \`bkgw_builds_total{reason="warm"}\` out of \`warm\`, \`preferred\` and \`spilled\`. Builds that others started are in
\`bkgw_replica_running_builds\` too: of several gateways, take the maximum, not the sum. Alerts and a dashboard for Grafana:
\`deploy/components/monitoring\`.

With \`?replicas=1\` the replicas' own metrics follow, with \`pool\` and \`replica\`, and \`bkgw_replica_scrape_up\` (gauge), 1 where a replica's
are among them, else 0.

`;

const WORKERS = `
With several [workers](operations.md#several-cores) all of them are told as one gateway: counts are added up, those of workers that
have ended included. Of gauges, those of connections, calls, queued builds, memory and descriptors are added up; of the others the largest
counts, of a certificate the earliest end, and a replica is in the state that the worker sees that thinks least of it. Beside them:

| Metric | Type | Labels | |
|---|---|---|---|
`;

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

/** The whole text. */
export async function metricsDoc(): Promise<string> {
  const metrics = await describedMetrics();
  const own = metrics.filter(({ name }) => !isOfProcess(name));
  const known = new Set(metrics.map(({ name }) => name));
  const crew = await describe(makeCrewMetrics({ members: [], deaths: 0, refused: 0, overLimit: 0 }));
  const ofWorkers = crew.filter(({ name }) => !known.has(name)).map((metric) => `${rowOf(metric)}\n`);
  const ofProcess = metrics.filter(({ name }) => isOfProcess(name)).map(({ name }) => `\`${name}\``);
  return [
    INTRODUCTION,
    "| Metric | Type | Labels | |\n|---|---|---|---|\n",
    ...own.map((metric) => `${rowOf(metric)}\n`),
    WORKERS,
    ...ofWorkers,
    "\nOf the process and its runtime, as prom-client has them: ",
    `${ofProcess.join(", ")}.\n`,
  ].join("");
}

function rowOf({ name, type, labels, help }: Awaited<ReturnType<typeof describe>>[number]): string {
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`;
}

/** The names of the metrics of one gateway, in order. */
export async function metricNames(): Promise<string[]> {
  return (await describedMetrics()).map(({ name }) => name);
}

async function describedMetrics() {
  const { registry } = makeMetrics(
    { metrics: { repositories: 1 } },
    {
      pools: () => [],
      census: () => ({
        connections: 0,
        calls: 0,
        accepted: 0,
        unauthenticated: 0,
        refused: 0,
        limitHits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, 0])),
        receivedBytes: 0,
        sentBytes: 0,
      }),
      expiries: () => [],
      spans: () => undefined,
    },
  );
  return describe(registry);
}

async function describe(registry: Registry) {
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  const metrics = registry.getMetricsAsArray() as unknown as readonly Described[];
  return metrics
    .map(({ name, help, labelNames = [] }) => ({ name, help, type: types.get(name)!, labels: [...labelNames].sort() }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function isOfProcess(name: string): boolean {
  return /^bkgw_(process|nodejs)_/.test(name);
}
