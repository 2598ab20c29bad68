/** Which span a request belongs to, as its client says. */
export interface TraceParent {
  /** 32 hexadecimal digits, not all of them 0. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
  /** The trace's id is random enough to sample by (W3C Trace Context Level 2, "Random Trace ID Flag"). */
  readonly isRandom: boolean;
}

/** Name of the header. */
export const TRACE_PARENT = "traceparent";

const SAMPLED = 0x01;
const RANDOM = 0x02;

/** Longest header that is looked at. One of version 00 has 55 characters; a later one may have more. */
const MAX_CHARACTERS = 256;

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Read a request's `traceparent` headers. `undefined`: there is none, more than
 * one, or one that is not as it has to be (W3C Trace Context, "traceparent Header
 * Field Values" and "Versioning of traceparent").
 */
export function readTraceParent(values: readonly string[]): TraceParent | undefined {
  const [header, second] = values;
  if (header === undefined || second !== undefined || header.length > MAX_CHARACTERS) return undefined;
  const [, version, traceId, spanId, flagText, rest] = PATTERN.exec(header) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined;
  const flags = Number.parseInt(flagText!, 16);
  return {
    traceId: traceId!,
    spanId: spanId!,
    isSampled: (flags & SAMPLED) !== 0,
    isRandom: (flags & RANDOM) !== 0,
  };
}

/** The header that makes a span the parent of whatever its receiver does. */
export function writeTraceParent({ traceId, spanId, isSampled, isRandom }: TraceParent): string {
  const flags = (isSampled ? SAMPLED : 0) | (isRandom ? RANDOM : 0);
  return `00-${traceId}-${spanId}-0${flags}`;
}
