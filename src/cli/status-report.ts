import { z } from "zod";
import { printable } from "../base/printable.ts";
import { formatTable } from "./table.ts";

/** A text of the gateway's, some of which its clients have chosen. */
const text = z.string().transform((value) => printable(value, 200));

const buildSchema = z.object({ pool: text, name: text, job: text.optional(), replica: text.optional() });

/** As much of `GET /status` as is shown here. */
export const statusSchema = z.object({
  version: text,
  isReady: z.boolean(),
  note: text.optional(),
  pools: z.array(
    z.object({
      name: text,
      queued: z.number(),
      running: z.number(),
      readyReplicas: z.number(),
      maxBuilds: z.number(),
      replicaCount: z.number(),
      discovery: z.array(z.object({ source: text, state: text, reason: text.optional() })),
      replicas: z.array(
        z.object({
          name: text,
          state: text,
          sinceMs: z.number(),
          reason: text.optional(),
          running: z.number(),
          warm: z.object({ count: z.number() }),
          version: text.optional(),
        }),
      ),
      waiting: z.array(z.object({ key: text, waitedMs: z.number(), cause: text })),
    }),
  ),
  running: z.array(
    buildSchema.extend({
      reason: text,
      ranMs: z.number(),
      receivedBytes: z.number(),
      sentBytes: z.number(),
      steps: z.object({ done: z.number(), total: z.number() }).optional(),
    }),
  ),
  failures: z.array(buildSchema.extend({ outcome: text, cause: text.optional(), endedAt: z.string() })),
});

/** What a gateway says of itself. */
export type ShownStatus = z.output<typeof statusSchema>;

/** How it is written. */
export interface StatusStyle {
  /** Widest line; what is longer is cut. `undefined`: none is. */
  readonly columns: number | undefined;
  readonly hasColours: boolean;
}

const MAX_FAILURES = 5;

/** ANSI SGR: green, yellow, red (ECMA-48 section 8.3.117). */
const COLOURS: Readonly<Record<string, number>> = { ready: 32, connecting: 33, draining: 33, ejected: 31 };

/** For people: what runs where, what waits, what has failed. */
export function describeStatus(status: ShownStatus, style: StatusStyle): string {
  const { version, isReady, note, pools, running, failures } = status;
  const state = isReady ? (note ?? "ready") : `not ready: ${note ?? ""}`;
  const blocks = [`gateway ${version}: ${state}\n`, ...pools.map((pool) => describePool(pool, pools.length > 1))];
  const poolCell = (text: string): string[] => (pools.length > 1 ? [text] : []);
  if (running.length > 0) {
    const rows = running.map(({ name, pool, job, replica, reason, ranMs, steps, receivedBytes, sentBytes }) => [
      name,
      job ?? "",
      ...poolCell(pool),
      replica ?? "",
      reason,
      span(ranMs),
      steps ? `${steps.done}/${steps.total}` : "",
      size(receivedBytes + sentBytes),
    ]);
    blocks.push(
      formatTable(["RUNNING", "JOB", ...poolCell("POOL"), "REPLICA", "WHY THERE", "FOR", "STEPS", "MOVED"], rows),
    );
  }
  // Each pool has a queue of its own.
  const waiting = pools.flatMap((pool) =>
    pool.waiting.map(({ key, waitedMs, cause }, index) => [
      `${index + 1}  ${key}`,
      ...poolCell(pool.name),
      span(waitedMs),
      cause,
    ]),
  );
  if (waiting.length > 0) blocks.push(formatTable(["WAITING", ...poolCell("POOL"), "FOR", "BECAUSE"], waiting));
  if (failures.length > 0) {
    const rows = failures
      .slice(0, MAX_FAILURES)
      .map(({ name, pool, outcome, replica, cause }) => [name, outcome, ...poolCell(pool), replica ?? "", cause ?? ""]);
    blocks.push(formatTable(["FAILED LATELY", "HOW", ...poolCell("POOL"), "REPLICA", "CAUSE"], rows));
  }
  return blocks
    .join("\n")
    .split("\n")
    .map((line) => colour(cut(line, style.columns), style))
    .join("\n");
}

function describePool(pool: ShownStatus["pools"][number], isNamed: boolean): string {
  const { name, running, queued, readyReplicas, replicaCount, maxBuilds, replicas, discovery } = pool;
  const head = `${isNamed ? `pool ${name}: ` : ""}${running} running, ${queued} waiting, ${readyReplicas} of ${replicaCount} replicas ready\n`;
  const faults = discovery
    .filter(({ state, reason }) => state !== "live" || reason !== undefined)
    .map(({ source, state, reason }) => `${source} is ${state}${reason === undefined ? "" : `: ${reason}`}\n`);
  const rows = replicas.map(({ name: replica, state, sinceMs, running: builds, warm, version, reason }) => [
    replica,
    state,
    span(sinceMs),
    maxBuilds > 0 ? `${builds}/${maxBuilds}` : String(builds),
    String(warm.count),
    version ?? "",
    reason ?? "",
  ]);
  const table = formatTable(["REPLICA", "STATE", "FOR", "BUILDS", "WARM", "BUILDKIT", "REASON"], rows);
  return [head, ...faults, ...(rows.length > 0 ? [table] : [])].join("");
}

/** `5s`, `12m`, `3h`, `4d`. */
function span(durationMs: number): string {
  const seconds = Math.round(durationMs / 1_000);
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)}h` : `${Math.round(seconds / 86_400)}d`;
}

/** `12B`, `3kB`, `4.5MB`. */
function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)}${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function cut(line: string, columns: number | undefined): string {
  return columns === undefined || line.length <= columns ? line : `${line.slice(0, Math.max(1, columns - 1))}…`;
}

function colour(line: string, { hasColours }: StatusStyle): string {
  if (!hasColours) return line;
  return line.replace(/^(\S+ +)(ready|connecting|draining|ejected)(?= )/, (_whole, before: string, state: string) => {
    return `${before}\u001b[${COLOURS[state]}m${state}\u001b[0m`;
  });
}
