import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { counted } from "../base/counted.ts";
import { formatDuration } from "../base/duration.ts";
import { day } from "../trust/check-authority.ts";
import { daysUntil, SOON_DAYS } from "./chain-check.ts";
import { type ClockReading, readClock } from "./clock-check.ts";
import type { Finding, Outcome } from "./finding.ts";
import { type Answer, Steps } from "./steps.ts";

/** A gateway's admin port. */
export interface AdminPort {
  /** For people: `127.0.0.1:6060`. */
  readonly name: string;
  /** Ask for a path. Rejects with an Error of one line where there is no answer in time. */
  ask(
    path: string,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly text: string; readonly date: string | undefined }>;
}

/** What was found out by an admin port. */
export interface AdminReport {
  readonly findings: readonly Finding[];
  readonly readings: readonly ClockReading[];
}

const TIMEOUT_MS = 3_000;
const MARGIN_MS = 100;

/** Replicas that have a line of their own. */
const MAX_REPLICAS = 100;

/** News that is older than this is odd; a watch is confirmed far more often. */
const OLD_MS = 300_000;

const text = z.string().max(10_000);

/** What `/debug/health` answers (docs/operations.md). */
const healthSchema = z.object({
  status: z.enum(["ok", "degraded", "down"]),
  discovery: z
    .array(z.object({ pool: text, source: text, state: text, ageMs: z.number().optional(), reason: text.optional() }))
    .max(10_000),
  replicas: z
    .array(z.object({ pool: text, replica: text, state: text, reason: text.optional(), version: text.optional() }))
    .max(100_000),
});

type Health = z.output<typeof healthSchema>;

/** Ask a gateway what it knows of its replicas, its discovery and its certificates. Never rejects. */
export async function checkAdmin(port: AdminPort, clock: Clock, deadlineMs: number): Promise<AdminReport> {
  const steps = new Steps("admin", clock, deadlineMs);
  const readings: ClockReading[] = [];
  const health = await steps.make({
    check: "admin port",
    timeoutMs: TIMEOUT_MS,
    run: async () => {
      const { answer, reading } = await askHealth(port, clock);
      if (reading) readings.push(reading);
      return answer;
    },
  });
  const needs = [health];
  const judge = (check: string, run: (health: Health) => Answer<never>) =>
    steps.make({ check, needs, timeoutMs: TIMEOUT_MS, run: async () => run(health.value!) });
  await judge("replicas", judgeReplicas);
  await judge("versions", (known) => ({ outcome: judgeVersions(known) }));
  await judge("discovery", judgeDiscovery);
  await steps.make({
    check: "certificates",
    needs,
    timeoutMs: TIMEOUT_MS,
    run: () => checkCertificates(port, clock.wallTime()),
  });
  return { findings: steps.findings, readings };
}

async function askHealth(
  port: AdminPort,
  clock: Clock,
): Promise<{ readonly answer: Answer<Health>; readonly reading?: ClockReading | undefined }> {
  const fix = "check --admin (admin.listen of the gateway), and that the gateway runs";
  try {
    const { status, text: body, date } = await port.ask("/debug/health", TIMEOUT_MS - MARGIN_MS);
    const reading = readClock(`the gateway at ${port.name}`, date, clock);
    const health = readHealth(body);
    if (!health) {
      const seen = `${port.name} answers ${status}, and not as a gateway's admin port does`;
      return { answer: { outcome: { t: "failure", seen, fix } }, reading };
    }
    const seen = `${port.name}: ${health.status}`;
    const look = "see the lines below, and /readyz of the gateway";
    const outcome: Outcome =
      health.status === "ok"
        ? { t: "ok", seen }
        : { t: health.status === "down" ? "failure" : "warning", seen, fix: look };
    return { answer: { outcome, value: health }, reading };
  } catch (reason) {
    return { answer: { outcome: { t: "failure", seen: `${port.name}: ${(reason as Error).message}`, fix } } };
  }
}

function readHealth(body: string): Health | undefined {
  try {
    return healthSchema.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

function judgeReplicas({ replicas }: Health): Answer<never> {
  const ready = replicas.filter(({ state }) => state === "ready").length;
  const seen = `${ready} of ${counted(replicas.length, "replica")} ready`;
  const fix = replicas.length === 0 ? "see discovery below" : "see the replicas below, and their logs";
  const t = ready === 0 ? "failure" : "warning";
  const outcome: Outcome = ready > 0 && ready === replicas.length ? { t: "ok", seen } : { t, seen, fix };
  // Those that are out come first: where there are many, they are what is looked for.
  const sorted = [...replicas].sort((a, b) => Number(a.state === "ready") - Number(b.state === "ready"));
  const more = sorted.slice(0, MAX_REPLICAS).map((replica) => ({
    check: `replica ${replica.replica}`,
    outcome: judgeReplica(replica),
  }));
  return { outcome, more };
}

function judgeReplica({ pool, state, reason, version }: Health["replicas"][number]): Outcome {
  const why = reason === undefined ? "" : `: ${reason}`;
  const seen = `${state}${why} (pool ${pool}${version === undefined ? "" : `, BuildKit ${version}`})`;
  switch (state) {
    case "ready":
    case "gone":
      return { t: "ok", seen };
    case "ejected":
      return { t: "failure", seen, fix: "look at that daemon: it does not answer, or not as it should" };
    case "draining":
      return { t: "warning", seen, fix: "it takes no new builds; if nobody meant that, see drain --undo" };
    default:
      return { t: "warning", seen, fix: "wait a moment, and run this again" };
  }
}

function judgeVersions({ replicas }: Health): Outcome {
  const byPool = new Map<string, Map<string, string[]>>();
  for (const { pool, replica, version } of replicas) {
    if (version === undefined) continue;
    const versions = byPool.get(pool) ?? new Map<string, string[]>();
    byPool.set(pool, versions.set(version, [...(versions.get(version) ?? []), replica]));
  }
  if (byPool.size === 0) return { t: "skipped", seen: "no replica has told its version" };
  const skewed = [...byPool].filter(([, versions]) => versions.size > 1);
  if (skewed.length === 0) {
    const named = [...byPool].map(([pool, versions]) => `pool ${pool}: BuildKit ${[...versions.keys()].join()}`);
    return { t: "ok", seen: named.join("; ") };
  }
  const seen = skewed.map(([pool, versions]) => {
    const named = [...versions].map(([version, ids]) => `${version} (${ids.slice(0, 5).join(", ")})`);
    return `pool ${pool}: ${named.join(" and ")}`;
  });
  const fix = "bring a pool to one version: what a client learns of one replica it uses on another";
  return { t: "warning", seen: seen.join("; "), fix };
}

function judgeDiscovery({ discovery }: Health): Answer<never> {
  if (discovery.length === 0) return { outcome: { t: "ok", seen: "the replicas stand in the configuration" } };
  const outcomes = discovery.map(({ source, state, ageMs, reason }): Outcome => {
    const age = ageMs === undefined ? "no news yet" : `last news ${formatDuration(Math.round(ageMs))} ago`;
    const seen = `${source}: ${state}, ${age}${reason === undefined ? "" : `: ${reason}`}`;
    const isOdd = state !== "live" || reason !== undefined || (ageMs ?? 0) > OLD_MS;
    if (!isOdd) return { t: "ok", seen };
    return {
      t: "warning",
      seen,
      fix: "see what it says, and the gateway's log: a role, a name, the API server or DNS",
    };
  });
  const more = outcomes.slice(1).map((outcome) => ({ check: "discovery", outcome }));
  return { outcome: outcomes[0]!, more };
}

const EXPIRY = /^bkgw_certificate_expiry_timestamp_seconds\{setting="([^"\n]{1,100})"\} (\S{1,40})$/gm;

async function checkCertificates(port: AdminPort, now: Date): Promise<Answer<never>> {
  const { status, text: body } = await port.ask("/metrics", TIMEOUT_MS - MARGIN_MS);
  if (status !== 200) return { outcome: { t: "skipped", seen: `/metrics answers ${status}` } };
  const ends = [...body.matchAll(EXPIRY)].map(([, setting, seconds]) => ({
    setting: setting!,
    at: new Date(Number(seconds) * 1_000),
  }));
  const known = ends.filter(({ at }) => !Number.isNaN(at.getTime()));
  if (known.length === 0) return { outcome: { t: "ok", seen: "the gateway has none" } };
  const seen = known.map(
    ({ setting, at }) => `${setting} expires on ${day(at)}, in ${counted(daysUntil(at, now), "day")}`,
  );
  const leastDays = Math.min(...known.map(({ at }) => daysUntil(at, now)));
  if (leastDays >= SOON_DAYS) return { outcome: { t: "ok", seen: seen.join("; ") } };
  const fix = "renew it: the gateway takes the new file without a restart";
  return { outcome: { t: leastDays < 0 ? "failure" : "warning", seen: seen.join("; "), fix } };
}
