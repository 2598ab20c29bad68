import { type Attributes, type SpanStatus, SpanStatusCode } from "@opentelemetry/api";
import type { CallEnding } from "../routing/routed-call.ts";

/**
 * Codes that are errors of whoever serves: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and
 * DATA_LOSS. Others are errors only of whoever asked (OpenTelemetry, "Semantic conventions for gRPC").
 */
const SERVER_ERRORS: readonly number[] = [2, 4, 12, 13, 14, 15];

/** What a span says of its call's end. */
export interface SpanEnding {
  readonly status: SpanStatus;
  readonly attributes: Attributes;
}

/**
 * How a call that ended so is told, by a span of who asks or of who serves. Only
 * the gateway's own words are in it: a replica's may hold what the build ran.
 */
export function endingOf(ending: CallEnding | undefined, side: "client" | "server"): SpanEnding {
  if (!ending) return { status: { code: SpanStatusCode.UNSET }, attributes: {} };
  const { status, saidBy, message } = ending;
  const isError = side === "client" ? status !== 0 : status < 0 || SERVER_ERRORS.includes(status);
  const isOurs = saidBy === "gateway" && message !== "";
  return {
    status: { code: isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET, ...(isError && isOurs && { message }) },
    attributes: status < 0 ? {} : { "rpc.grpc.status_code": status },
  };
}
