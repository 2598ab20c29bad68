import {
  type Attributes,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Clock } from "../base/clock.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { type HeaderField, headerValues } from "../http2/header-field.ts";
import { type Caller, describeCaller } from "../identity/caller.ts";
import type { BuildObserver } from "../routing/build-observer.ts";
import type { RoutedCall } from "../routing/routed-call.ts";
import { BuildTrace, type ConsideredReplica, RPC_ATTRIBUTES } from "./build-trace.ts";
import { SpanTime } from "./span-time.ts";
import { readTraceParent, TRACE_PARENT, type TraceParent } from "./trace-parent.ts";

/** Longest `tracestate` that is passed on (W3C Trace Context, "tracestate Limits"). */
const MAX_STATE_CHARACTERS = 512;

/** A pool whose builds are followed. */
export interface TracedPool {
  readonly name: string;
  readonly replicas: () => readonly ConsideredReplica[];
}

/** Follows the builds of one pool, as far as their traces are sampled: by their clients, else by the tracer. */
export class BuildTracer {
  readonly #tracer: Tracer;
  readonly #clock: Clock;
  readonly #pool: TracedPool;

  constructor(tracer: Tracer, clock: Clock, pool: TracedPool) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#pool = pool;
  }

  /** Begin to follow a build whose Solve has been read. `undefined`: its trace is not sampled. */
  observe(call: RoutedCall, { buildRef }: SolveRequest): BuildObserver | undefined {
    const parent = readTraceParent(headerValues(call.fields, TRACE_PARENT));
    if (parent?.isSampled === false) return undefined;
    const time = new SpanTime(this.#clock);
    const server = this.#tracer.startSpan(
      `${RPC_ATTRIBUTES["rpc.service"]}/${RPC_ATTRIBUTES["rpc.method"]}`,
      {
        kind: SpanKind.SERVER,
        startTime: time.at(call.openedMs),
        attributes: {
          ...RPC_ATTRIBUTES,
          "client.address": call.client.host,
          "bkgw.build_ref": buildRef,
          "bkgw.pool": this.#pool.name,
          ...callerAttributes(call.caller),
        },
      },
      parent ? trace.setSpanContext(ROOT_CONTEXT, remoteContext(parent, call.fields)) : ROOT_CONTEXT,
    );
    if (!server.isRecording()) return undefined;
    return new BuildTrace({
      tracer: this.#tracer,
      server,
      call,
      time,
      hasParent: parent !== undefined,
      isRandom: parent?.isRandom === true,
      replicas: this.#pool.replicas,
    });
  }
}

function remoteContext({ traceId, spanId }: TraceParent, fields: readonly HeaderField[]): SpanContext {
  const state = headerValues(fields, "tracestate").join(",");
  const hasState = state !== "" && state.length <= MAX_STATE_CHARACTERS;
  return {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    ...(hasState && { traceState: createTraceState(state) }),
  };
}

/** Who builds, as the log says it. */
function callerAttributes(caller: Caller): Attributes {
  return Object.fromEntries(
    Object.entries(describeCaller(caller)).map(([name, value]) => [
      `bkgw.caller.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      value,
    ]),
  );
}
