import type { Metadata } from "@grpc/grpc-js";

/** Response header of Status and of ListenBuildHistory, sent before anything is looked up (moby/buildkit control/control.go). */
const CURRENT_TIMESTAMP = "buildkit-current-timestamp";

/** RFC 3339 with up to nanoseconds, as Go writes it. */
const RFC_3339_NANO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** The daemon's clock when it sent these headers, in ms since the epoch. Absent where they do not tell. */
export function readDaemonTimeMs(headers: Metadata): number | undefined {
  const text = headers.get(CURRENT_TIMESTAMP)[0];
  if (typeof text !== "string" || !RFC_3339_NANO.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** A time as a daemon writes it: Go's `time.RFC3339Nano`, which ends in no zeros. */
export function rfc3339(time: Date): string {
  return time.toISOString().replace(/\.?0+Z$/, "Z");
}
