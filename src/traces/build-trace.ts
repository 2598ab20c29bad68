import {
  type Attributes,
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Address } from "../base/address.ts";
import { counted } from "../base/counted.ts";
import { withHeader } from "../http2/header-field.ts";
import type { BuildObserver, ReleaseReason } from "../routing/build-observer.ts";
import type { Waiting } from "../routing/placer.ts";
import type { RoutedCall } from "../routing/routed-call.ts";
import type { BuildEnd } from "../routing/running-build.ts";
import { endingOf } from "./span-status.ts";
import type { SpanTime } from "./span-time.ts";
import { TRACE_PARENT, writeTraceParent } from "./trace-parent.ts";

/** What all spans of the RPC say (OpenTelemetry, "Semantic conventions for RPC spans"). */
export const RPC_ATTRIBUTES: Attributes = {
  "rpc.system": "grpc",
  "rpc.service": "moby.buildkit.v1.Control",
  "rpc.method": "Solve",
};

/** A replica, as far as a decision looks at it. */
export interface ConsideredReplica {
  readonly id: string;
  readonly address: Address;
  readonly state: { readonly t: string };
  readonly runningBuilds: number;
}

/** Replicas that a decision names. */
const MAX_CONSIDERED = 50;

/** What one build's spans are made with. */
export interface BuildTraceOptions {
  readonly tracer: Tracer;
  /** The span of the build's Solve, begun and to be ended here. */
  readonly server: Span;
  readonly call: RoutedCall;
  readonly time: SpanTime;
  /** The client has said which span its request belongs to. */
  readonly hasParent: boolean;
  /** The trace's id is known to be random. */
  readonly isRandom: boolean;
  /** In the order of their ids. */
  readonly replicas: () => readonly ConsideredReplica[];
}

/** What a build does now. Each begins where the one before has ended. */
type Stage =
  /** It is being read, until all is known that may say where it goes. */
  | { readonly t: "held"; readonly span: Span }
  /** A replica is looked for. Not yet known whether it waits. */
  | { readonly t: "deciding"; readonly since: HrTime }
  | { readonly t: "queued"; readonly span: Span }
  /** A replica has been chosen, and is being reached. */
  | { readonly t: "placing"; readonly span: Span }
  | { readonly t: "upstream"; readonly span: Span }
  | { readonly t: "ended" };

/** Follows one build with spans: of its Solve, and below that of holding, queueing, placing and running it. */
export class BuildTrace implements BuildObserver {
  readonly #options: BuildTraceOptions;
  readonly #context: Context;
  #stage: Stage;

  constructor(options: BuildTraceOptions) {
    this.#options = options;
    this.#context = trace.setSpan(ROOT_CONTEXT, options.server);
    this.#stage = { t: "held", span: this.#begin("hold", options.time.at(options.call.openedMs)) };
  }

  placing(): void {
    const stage = this.#stage;
    if (stage.t !== "held") return;
    const now = this.#options.time.now();
    stage.span.end(now);
    this.#stage = { t: "deciding", since: now };
  }

  waits({ position, length, cause }: Waiting): void {
    this.placing();
    // Deciding takes no time to speak of: it has waited since then.
    if (this.#stage.t === "deciding") {
      this.#stage = { t: "queued", span: this.#begin("queue", this.#stage.since, { "bkgw.wait.cause": cause }) };
    }
    if (this.#stage.t !== "queued") return;
    const attributes = { "bkgw.wait.position": position, "bkgw.wait.length": length, "bkgw.wait.cause": cause };
    this.#stage.span.addEvent("waiting", attributes, this.#options.time.now());
  }

  chosen(replicaId: string | undefined): void {
    this.placing();
    const stage = this.#stage;
    const now = this.#options.time.now();
    if (replicaId === undefined) {
      if (stage.t !== "placing") return;
      stage.span.setAttribute("bkgw.given_up", true);
      stage.span.end(now);
      this.#stage = { t: "deciding", since: now };
      return;
    }
    if (stage.t !== "deciding" && stage.t !== "queued") return;
    if (stage.t === "queued") stage.span.end(now);
    const attributes = { "bkgw.replica": replicaId, "bkgw.considered": this.#considered() };
    const span = this.#begin("placement", stage.t === "deciding" ? stage.since : now, attributes);
    this.#stage = { t: "placing", span };
  }

  released(replicaId: string, reason: ReleaseReason, key: string | undefined): void {
    this.chosen(replicaId);
    if (this.#stage.t !== "placing") return;
    const { time, call, hasParent, isRandom } = this.#options;
    const now = time.now();
    const because = {
      "bkgw.reason": reason.t,
      ...(reason.t === "spilled" && { "bkgw.spilled.from": reason.from, "bkgw.spilled.because": reason.because }),
      ...(key !== undefined && { "bkgw.key": key }),
    };
    this.#stage.span.setAttributes(because).end(now);
    const attributes = { ...RPC_ATTRIBUTES, ...this.#addressOf(replicaId), "bkgw.replica": replicaId };
    const span = this.#begin("upstream", now, attributes, SpanKind.CLIENT);
    this.#stage = { t: "upstream", span };
    const header = writeTraceParent({ ...span.spanContext(), isSampled: true, isRandom });
    const fields = withHeader(call.sentFields, TRACE_PARENT, header);
    // What the client says beside a parent that cannot be read is of no trace (W3C Trace Context, "tracestate Header").
    call.sentFields = hasParent ? fields : withHeader(fields, "tracestate", undefined);
  }

  ended({ replicaId, reason, key, waitedMs, outcome }: BuildEnd): void {
    const { server, call, time } = this.#options;
    const stage = this.#stage;
    if (stage.t === "ended") return;
    this.#stage = { t: "ended" };
    const now = time.now();
    if (stage.t !== "deciding") {
      const { status, attributes } = endingOf(call.ending, "client");
      const isCancelled = outcome === "cancelled" && stage.t !== "upstream";
      stage.span.setStatus(isCancelled ? { code: SpanStatusCode.UNSET } : status);
      if (stage.t === "upstream") stage.span.setAttributes(attributes);
      stage.span.end(now);
    }
    const { status, attributes } = endingOf(call.ending, "server");
    server.setStatus(status);
    server.setAttributes({
      ...attributes,
      "bkgw.result": outcome,
      "bkgw.waited_ms": waitedMs,
      ...(replicaId !== undefined && { "bkgw.replica": replicaId }),
      ...(reason !== undefined && { "bkgw.reason": reason }),
      ...(key !== undefined && { "bkgw.key": key }),
    });
    server.end(now);
  }

  #begin(name: string, startTime: HrTime, attributes: Attributes = {}, kind = SpanKind.INTERNAL): Span {
    return this.#options.tracer.startSpan(name, { kind, startTime, attributes }, this.#context);
  }

  /** `buildkit-0: ready, 3 builds`, for each. */
  #considered(): string[] {
    const replicas = this.#options.replicas().slice(0, MAX_CONSIDERED);
    return replicas.map(({ id, state, runningBuilds }) => `${id}: ${state.t}, ${counted(runningBuilds, "build")}`);
  }

  #addressOf(replicaId: string): Attributes {
    const address = this.#options.replicas().find(({ id }) => id === replicaId)?.address;
    if (!address) return {};
    if (address.t === "unix") return { "server.address": address.path, "network.transport": "unix" };
    return { "server.address": address.host, "server.port": address.port, "network.transport": "tcp" };
  }
}
