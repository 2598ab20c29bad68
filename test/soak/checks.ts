import { type Audit, auditBuilds, type EndedBuild, type Loss } from "./build-books.ts";
import { type Growth, type GrowthBound, judgeGrowth, WARM_UP_SHARE } from "./growth.ts";
import { sumOf } from "./metric-values.ts";
import { OPEN, type Sample } from "./sampler.ts";
import type { Evidence } from "./soak.ts";

/** Something that must hold. */
export interface Check {
  readonly name: string;
  readonly isGood: boolean;
  /** What was found, for people. */
  readonly found: string;
}

/** What a run comes to. */
export interface Verdict {
  readonly checks: readonly Check[];
  readonly audit: Audit;
  readonly growth: Readonly<Record<"heap" | "resident", Growth>>;
}

const MIB = 2 ** 20;

/**
 * A gateway that has just started compiles, and its collector lets the heap grow
 * to what suits the load: that comes once. A leak of 1 KiB for each build or
 * connection would be more than 16 MiB in an hour of this load.
 */
const HEAP_BOUND: GrowthBound = { once: 12 * MIB, perHour: 16 * MIB };

/** Resident memory follows the heap's highest level and gives little back. */
const RESIDENT_BOUND: GrowthBound = { once: 32 * MIB, perHour: 16 * MIB };

/** How the log names a build's end, and a placement. */
const ENDED = "build ended";
const PLACED = "build placed";

/** pino's number of the level `error`. */
const ERROR_LEVEL = 50;

/** Faults that are shown of each check. */
const MOST_SHOWN = 20;

/** Judge a run. */
export function judge(evidence: Evidence): Verdict {
  const { log, builds, disturbances, metrics, before, after, samples, leftOnReplicas, exit } = evidence;
  const ended = log
    .filter(({ msg }) => msg === ENDED)
    .map(({ buildRef, outcome, replica }) => ({ buildRef, outcome, replica }) as EndedBuild);
  const placed = log.filter(({ msg }) => msg === PLACED).map(({ buildRef }) => buildRef as string);
  const audit = auditBuilds({ ran: builds, ended, placed, losses: disturbances.losses });
  const points = (name: "heapBytes" | "residentBytes") =>
    samples.map((sample) => ({ atMs: sample.atMs, value: sample[name] }));
  const growth = {
    heap: judgeGrowth(points("heapBytes"), HEAP_BOUND),
    resident: judgeGrowth(points("residentBytes"), RESIDENT_BOUND),
  };
  const open = OPEN.filter((name) => after[name] !== 0).map((name) => `${name} ${after[name]}`);
  const errors = log.filter(({ level }) => level >= ERROR_LEVEL).map((line) => JSON.stringify(line));
  const unanswered = evidence.questions
    .filter((question) => question.exitCode !== 0 && !disturbances.silences.some((loss) => overlaps(loss, question)))
    .map(({ command, message }) => `${command}: ${message}`);
  const sum = Object.values(audit.placedOutcomes).reduce((total, count) => total + count, 0);
  return {
    audit,
    growth,
    checks: [
      check("every client and replica came to its end", evidence.stuck, "none was stuck"),
      check(
        "every build accounted for",
        audit.faults,
        `${audit.refs} refs, ${audit.excused} excused by a lost replica`,
      ),
      check(
        "placed = succeeded + failed + cancelled + lost",
        audit.placed === sum ? [] : [`${audit.placed} placed, ${sum} ended`],
        `${audit.placed} = ${["succeeded", "failed", "cancelled", "lost"].map((name) => audit.placedOutcomes[name] ?? 0).join(" + ")}`,
      ),
      check("metrics count the same builds", differences(audit, metrics), "bkgw_builds_total by result"),
      check("nothing left open", open, `after ${(evidence.settledMs / 1_000).toFixed(1)} s`),
      check("no build left on a replica", leftOnReplicas === 0 ? [] : [`${leftOnReplicas} left`], "each asked itself"),
      check(
        "descriptors back where they were",
        after.descriptors > before.descriptors ? [`${before.descriptors} before, ${after.descriptors} after`] : [],
        `${before.descriptors} before, ${highest(samples, "descriptors")} at most, ${after.descriptors} after`,
      ),
      growthCheck("heap does not grow", growth.heap),
      growthCheck("resident memory does not grow", growth.resident),
      check("questions answered while no replica was silent", unanswered, `${evidence.questions.length} asked`),
      check("no error logged", errors, "none"),
      check("ends by itself after SIGTERM", exit === 0 ? [] : [`exit status ${exit}`], "exit status 0"),
    ],
  };
}

function check(name: string, faults: readonly string[], good: string): Check {
  const more = faults.length > MOST_SHOWN ? [`and ${faults.length - MOST_SHOWN} more`] : [];
  const found = [...faults.slice(0, MOST_SHOWN), ...more].join("\n");
  return { name, isGood: faults.length === 0, found: faults.length === 0 ? good : found };
}

function growthCheck(name: string, growth: Growth): Check {
  const mib = (bytes: number) => (Number.isFinite(bytes) ? (bytes / MIB).toFixed(1) : String(bytes));
  const { perHour, lowPerHour, highPerHour, boundPerHour, overMs, isTooMuch } = growth;
  return {
    name,
    isGood: !isTooMuch,
    found:
      `${mib(perHour)} MiB/h, 95 % sure of ${mib(lowPerHour)} to ${mib(highPerHour)}, over ${(overMs / 60_000).toFixed(1)} min ` +
      `after the first ${WARM_UP_SHARE * 100} %; at most ${mib(boundPerHour)}`,
  };
}

function differences({ outcomes }: Audit, metrics: Evidence["metrics"]): string[] {
  const results = metrics.filter(({ name }) => name === "bkgw_builds_total").map(({ labels }) => labels.result!);
  return [...new Set([...results, ...Object.keys(outcomes)])].flatMap((result) => {
    const [counted, told] = [sumOf(metrics, "bkgw_builds_total", { result }), outcomes[result] ?? 0];
    return counted === told ? [] : [`${result}: ${counted} counted, ${told} in the log`];
  });
}

/** The most that a sample had of something. */
export function highest(samples: readonly Sample[], name: keyof Sample): number {
  return samples.reduce((most, sample) => Math.max(most, sample[name]), 0);
}

function overlaps(loss: Loss, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): boolean {
  return loss.fromMs <= toMs && loss.toMs >= fromMs;
}
