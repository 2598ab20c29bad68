import { hostname } from "node:os";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { programVersion } from "../base/program-version.ts";
import type { BuildGroupsOptions } from "../routing/build-groups-options.ts";
import { BuildTracer, type TracedPool } from "./build-tracer.ts";
import { readCollectorHeaders } from "./collector-headers.ts";
import { SpanBatches, type SpanCensus } from "./span-batches.ts";

/** Bounds of one span: what clients name may be long, and a wait may bring much news. */
const SPAN_LIMITS = { attributeValueLengthLimit: 512, eventCountLimit: 100 };

/** Exports that the exporter has open, should it not notice that one hangs. */
const MAX_EXPORTS = 2;

/** Longest that ending may take: less than what a stopping gateway has. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Where spans go, and what they are from. */
export interface TracesOptions {
  /** Full URL, as OTLP over HTTP has it. */
  readonly endpoint: string;
  /** See {@link readCollectorHeaders}. Absent: no headers of ours. */
  readonly headersFile: string | undefined;
  /** From 0 to 1. */
  readonly sampleRatio: number;
  readonly serviceName: string;
  /** What else is said of this gateway. */
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  /** Time for one export, tries again included. */
  readonly timeoutMs: number;
  /** Spans that may wait to be exported. */
  readonly maxSpans: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Traces of builds, sent to a collector as OTLP over HTTP, as JSON. Loaded only where there is one. */
export class Traces {
  readonly #clock: Clock;
  readonly #batches: SpanBatches;
  readonly #provider: TracerProvider;

  private constructor(options: TracesOptions) {
    const { endpoint, headersFile, sampleRatio, serviceName, attributes, timeoutMs, maxSpans, clock, log } = options;
    this.#clock = clock;
    const exporter = new OTLPTraceExporter({
      url: endpoint,
      timeoutMillis: timeoutMs,
      concurrencyLimit: MAX_EXPORTS,
      userAgent: `buildkit-gateway/${programVersion()}`,
      ...(headersFile !== undefined && { headers: () => readCollectorHeaders(headersFile) }),
    });
    this.#batches = new SpanBatches({ exporter, clock, log, maxSpans, timeoutMs });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "host.name": hostname(),
        ...Object.fromEntries(attributes.map(({ name, value }) => [name, value])),
        "service.name": serviceName,
        "service.version": programVersion(),
      }),
      sampler: new ParentBasedSampler({
        root: sampleRatio === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(sampleRatio),
      }),
      spanLimits: SPAN_LIMITS,
      spanProcessors: [this.#batches],
    });
  }

  /** Make them. Rejects with an Error that names the setting where the file of headers cannot be used. */
  static async open(options: TracesOptions): Promise<Traces> {
    if (options.headersFile !== undefined) await readCollectorHeaders(options.headersFile);
    return new Traces(options);
  }

  /** Who follows the builds of one pool. */
  observerOf(pool: TracedPool): NonNullable<BuildGroupsOptions["observeBuild"]> {
    const tracer = new BuildTracer(this.#provider.getTracer("buildkit-gateway", programVersion()), this.#clock, pool);
    return (call, solve) => tracer.observe(call, solve);
  }

  /** How many spans were sent, and how many were not. */
  census(): SpanCensus {
    return this.#batches.census();
  }

  /** Send what there is, for a second at most. */
  async close(): Promise<void> {
    let cancel: Cancel = () => {};
    const timeout = new Promise<void>((resolve) => {
      cancel = this.#clock.after(CLOSE_TIMEOUT_MS, resolve);
    });
    await Promise.race([this.#batches.shutdown(), timeout]);
    cancel();
  }
}
