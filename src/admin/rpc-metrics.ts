import type { Metric, Registry } from "prom-client";
import { KNOWN_RPCS } from "../buildkit/rpc-name.ts";

/** Who had the last word in a call. */
type LastWord = "client" | "gateway" | "replica";

/** Names of gRPC's statuses by number (grpc/grpc doc/statuscodes.md). */
const STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

const NO_STATUS = "none";

/** Upper bounds of the histogram, in seconds: from a call that is answered from memory to a build of hours. */
const BUCKETS_S = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3_600];

const OTHER = "other";

/** What is counted of the calls of one name. */
interface RpcSeries {
  readonly byEnd: Map<string, { readonly status: string; readonly saidBy: LastWord; count: number }>;
  readonly buckets: number[];
  sumMs: number;
  count: number;
}

type Sample = {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
};

/**
 * What Prometheus is told of calls.
 *
 * Counted in plain numbers and put together when it is asked for: it is told of
 * every call, of which there may be a hundred thousand in a second.
 */
export class RpcMetrics {
  readonly #series = new Map<string, RpcSeries>();
  readonly #byPath = new Map<string, RpcSeries>();

  constructor(registry: Registry) {
    for (const [name, paths] of KNOWN_RPCS) {
      // `UpdateBuildHistory.Pin` and the like have the path of the RPC that they are a part of.
      if (name.includes(".")) continue;
      const series = this.#add(name);
      for (const path of paths) this.#byPath.set(path, series);
    }
    this.#add(OTHER);
    register(registry, {
      name: "bkgw_rpcs_total",
      help: "Calls that have ended, by RPC, gRPC status, and who had the last word: the replica, the gateway or the client.",
      type: "counter",
      labelNames: ["rpc", "status", "said_by"],
      get: () => this.#counts(),
    });
    register(registry, {
      name: "bkgw_rpc_duration_seconds",
      help: "Time that calls were open, from their header to their end.",
      type: "histogram",
      labelNames: ["rpc"],
      get: () => this.#durations(),
    });
  }

  /** A call has ended. `status` is gRPC's number; one that is none counts as `none`. */
  ended(
    path: string,
    { status, saidBy }: { readonly status: number; readonly saidBy: LastWord },
    durationMs: number,
  ): void {
    const series = this.#byPath.get(path) ?? this.#series.get(OTHER)!;
    const name = STATUSES[status] ?? NO_STATUS;
    const key = `${name} ${saidBy}`;
    const known = series.byEnd.get(key);
    if (known) known.count++;
    else series.byEnd.set(key, { status: name, saidBy, count: 1 });
    const seconds = durationMs / 1_000;
    const bucket = BUCKETS_S.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket]!++;
    series.sumMs += durationMs;
    series.count++;
  }

  #add(name: string): RpcSeries {
    const series = { byEnd: new Map(), buckets: BUCKETS_S.map(() => 0), sumMs: 0, count: 0 };
    this.#series.set(name, series);
    return series;
  }

  #counts(): Sample[] {
    return [...this.#series].flatMap(([rpc, { byEnd }]) =>
      [...byEnd.values()].map(({ status, saidBy, count }) => ({
        labels: { rpc, status, said_by: saidBy },
        value: count,
      })),
    );
  }

  #durations(): Sample[] {
    const base = "bkgw_rpc_duration_seconds";
    return [...this.#series].flatMap(([rpc, { buckets, sumMs, count }]) => {
      if (count === 0) return [];
      let sum = 0;
      const cumulative = buckets.map((inBucket, index) => {
        sum += inBucket;
        return { labels: { rpc, le: BUCKETS_S[index]! }, value: sum, metricName: `${base}_bucket` };
      });
      return [
        ...cumulative,
        { labels: { rpc, le: "+Inf" }, value: count, metricName: `${base}_bucket` },
        { labels: { rpc }, value: sumMs / 1_000, metricName: `${base}_sum` },
        { labels: { rpc }, value: count, metricName: `${base}_count` },
      ];
    });
  }
}

/** A metric that is put together by us when it is asked for. */
interface ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram";
  readonly labelNames: readonly string[];
  get(): readonly Sample[];
}

/** prom-client asks of a metric what it is called and what `get` says, and no more (lib/registry.js). */
function register(registry: Registry, { get, ...about }: ReadMetric): void {
  const metric = { ...about, get: async () => ({ ...about, aggregator: "sum", values: get() }), reset() {} };
  registry.registerMetric(metric as unknown as Metric);
}
