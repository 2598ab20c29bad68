import { readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { type MetricValue, readMetrics, sumOf } from "./metric-values.ts";

/** What a gateway has open and uses at one moment. */
export interface Sample {
  readonly atMs: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Buffers and other memory outside of the heap. */
  readonly externalBytes: number;
  /** File descriptors, as the kernel counts them. */
  readonly descriptors: number;
  /** Clients that are connected. */
  readonly connections: number;
  /** Calls of clients that are open. */
  readonly calls: number;
  readonly queued: number;
  /** Builds that run, as the gateway placed them. */
  readonly running: number;
  /** Builds that run, as the replicas say. */
  readonly onReplicas: number;
  /** Clients that builds are kept for. */
  readonly groupClients: number;
  /** Calls that belong to builds. */
  readonly groupCalls: number;
  /** Calls that wait for their Solve. */
  readonly groupWaiting: number;
  /** Refs and sessions that are remembered; bounded. */
  readonly remembered: number;
  readonly eventLoopP99Ms: number;
  readonly eventLoopMaxMs: number;
}

/** What of a sample must be nothing once all clients have left. */
export const OPEN = [
  "connections",
  "calls",
  "queued",
  "running",
  "onReplicas",
  "groupClients",
  "groupCalls",
  "groupWaiting",
] as const satisfies readonly (keyof Sample)[];

interface Status {
  readonly traffic: { readonly connections: number; readonly calls: number };
  readonly running: readonly unknown[];
  readonly pools: readonly {
    readonly queued: number;
    readonly running: number;
    readonly groups: {
      readonly clients: number;
      readonly calls: number;
      readonly waiting: number;
      readonly tokens: number;
    };
  }[];
}

/** Look at a gateway once. */
export async function takeSample(gateway: GatewayProcess): Promise<Sample> {
  // First: the questions that follow need descriptors of their own.
  const descriptors = (await readdir(`/proc/${gateway.pid}/fd`)).length;
  const { traffic, running, pools } = JSON.parse((await gateway.ask("/status")).text) as Status;
  const metrics = await askMetrics(gateway);
  const inAll = (count: (pool: Status["pools"][number]) => number) => pools.reduce((sum, pool) => sum + count(pool), 0);
  return {
    atMs: performance.now(),
    residentBytes: sumOf(metrics, "bkgw_process_resident_memory_bytes"),
    heapBytes: sumOf(metrics, "bkgw_nodejs_heap_size_used_bytes"),
    externalBytes: sumOf(metrics, "bkgw_nodejs_external_memory_bytes"),
    descriptors,
    connections: traffic.connections,
    calls: traffic.calls,
    queued: inAll(({ queued }) => queued),
    running: running.length,
    onReplicas: inAll((pool) => pool.running),
    groupClients: inAll(({ groups }) => groups.clients),
    groupCalls: inAll(({ groups }) => groups.calls),
    groupWaiting: inAll(({ groups }) => groups.waiting),
    remembered: inAll(({ groups }) => groups.tokens),
    eventLoopP99Ms: sumOf(metrics, "bkgw_nodejs_eventloop_lag_p99_seconds") * 1_000,
    eventLoopMaxMs: sumOf(metrics, "bkgw_nodejs_eventloop_lag_max_seconds") * 1_000,
  };
}

/** All metrics of a gateway, now. */
export async function askMetrics(gateway: GatewayProcess): Promise<MetricValue[]> {
  return readMetrics((await gateway.ask("/metrics")).text);
}

/** Look at a gateway every `intervalMs` until the signal comes; resolves with all that was seen. */
export async function watch(gateway: GatewayProcess, intervalMs: number, ending: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (!ending.aborted) {
    samples.push(await takeSample(gateway));
    await delay(intervalMs, undefined, { signal: ending }).catch(() => {
      // Over.
    });
  }
  return samples;
}
