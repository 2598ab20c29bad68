import type { Clock } from "../base/clock.ts";
import type { Finding, Outcome } from "./finding.ts";

/** What another machine's clock said. */
export interface ClockReading {
  /** Whose it is, for people: `the API server`. */
  readonly source: string;
  /** By how much this machine's clock is ahead; negative where it is behind. Good to a second. */
  readonly aheadMs: number;
}

/** Clocks that differ by less are well; the header that they are read from knows whole seconds only. */
const WELL_MS = 5_000;

/** Certificates and tokens that are new are refused by clocks that differ by this much. */
const BAD_MS = 60_000;

/** Read a clock out of an answer's `Date` header (RFC 9110 section 6.6.1). Undefined where there is none. */
export function readClock(source: string, date: string | undefined, clock: Clock): ClockReading | undefined {
  const atMs = Date.parse(date ?? "");
  // The header was written within its second: half of one is its error.
  return Number.isNaN(atMs) ? undefined : { source, aheadMs: clock.wallTime().getTime() - atMs - 500 };
}

/** Compare this machine's clock with those that were read, or with what certificates hint at. */
export function judgeClock(readings: readonly ClockReading[], findings: readonly Finding[]): Outcome {
  const seen = readings
    .map(({ source, aheadMs }) => {
      const seconds = Math.round(Math.abs(aheadMs) / 1_000);
      return seconds === 0 ? `as ${source} has it` : `${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} ${source}`;
    })
    .join("; ");
  const worstMs = Math.max(...readings.map(({ aheadMs }) => Math.abs(aheadMs)));
  const fix = "set the clocks by NTP on this machine and there";
  if (readings.length > 0 && worstMs < WELL_MS) return { t: "ok", seen };
  if (readings.length > 0) return { t: worstMs < BAD_MS ? "warning" : "failure", seen, fix };
  const isEarly = findings.some(({ outcome }) => outcome.t === "failure" && /not valid before/.test(outcome.seen));
  if (isEarly) return { t: "warning", seen: "a certificate is not valid yet: this clock may be behind", fix };
  return { t: "skipped", seen: "no clock to compare with: give --admin, or --kubeconfig" };
}
