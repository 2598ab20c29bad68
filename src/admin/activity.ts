import type { Clock } from "../base/clock.ts";
import type { Caller } from "../identity/caller.ts";

/** What has passed in a build's calls, in octets. */
export interface TransferView {
  /** From its client. */
  readonly receivedBytes: number;
  /** To its client. */
  readonly sentBytes: number;
}

/** How far a build is. */
export interface StepsView {
  readonly done: number;
  /** As far as they are known by now. */
  readonly total: number;
}

/** A build's whereabouts, as its pool tells them. */
export interface MovedBuild {
  readonly buildRef: string;
  readonly caller: Caller;
  readonly key: string | undefined;
  /** `undefined`: for now none. */
  readonly replicaId: string | undefined;
  readonly waitedMs: number;
  readonly reason: () => string | undefined;
  readonly moved: () => TransferView;
  readonly steps: () => StepsView | undefined;
}

/** A build's end, as its pool tells it. */
export interface FinishedBuild extends TransferView {
  readonly buildRef: string;
  readonly caller: Caller;
  readonly key: string | undefined;
  readonly replicaId: string | undefined;
  readonly reason: string | undefined;
  readonly waitedMs: number;
  readonly ranMs: number;
  readonly outcome: string;
  readonly cause: string;
}

/** A build that this gateway has placed, and that runs. */
export interface RunningView extends TransferView {
  readonly pool: string;
  readonly replica: string;
  readonly buildRef: string;
  readonly name: string;
  readonly job?: string;
  /** Where its job is to be seen. */
  readonly link?: string;
  readonly reason: string;
  readonly waitedMs: number;
  readonly ranMs: number;
  /** Absent: not known, or not yet. */
  readonly steps?: StepsView;
}

/** A build that has ended. */
export interface EndedView extends Omit<RunningView, "replica" | "steps"> {
  /** Absent: it ran nowhere. */
  readonly replica?: string;
  readonly outcome: string;
  /** Of a bad end. */
  readonly cause?: string;
  readonly endedAt: string;
}

/** What was in one minute. */
export interface MinuteView {
  readonly at: string;
  readonly builds: number;
  /** Of those whose cache is known by something, those that ran where it was warm. */
  readonly warm: number;
  readonly keyed: number;
  readonly failed: number;
  /** The longest wait. */
  readonly waitMs: number;
}

/** All that is remembered of builds. */
export interface ActivityView {
  readonly running: readonly RunningView[];
  /** The latest first. */
  readonly ended: readonly EndedView[];
  /** The latest of those that ended badly, by nobody's wish. */
  readonly failures: readonly EndedView[];
  /** The last hour, the oldest first; minutes without a build are left out. */
  readonly minutes: readonly MinuteView[];
}

const MAX_RUNNING = 1_000;
const MAX_ENDED = 50;
const MAX_FAILURES = 20;
const MINUTES = 60;
const MINUTE_MS = 60_000;

/** Why builds ran where they ran, where their cache is known by something. */
const KEYED = ["warm", "preferred", "spilled"];

const FAILED = ["failed", "lost", "refused"];

interface Running {
  readonly pool: string;
  readonly build: MovedBuild & { readonly replicaId: string };
  readonly sinceMs: number;
}

interface Minute {
  /** Minutes since the epoch. */
  readonly number: number;
  builds: number;
  warm: number;
  keyed: number;
  failed: number;
  waitMs: number;
}

/** What builds do and have done lately, for people. Everything is bounded, the oldest goes first. */
export class Activity {
  readonly #clock: Clock;
  readonly #running = new Map<string, Running>();
  readonly #ended: EndedView[] = [];
  readonly #failures: EndedView[] = [];
  readonly #minutes: Minute[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A build goes to a replica, or for now to none. */
  moved(pool: string, build: MovedBuild): void {
    const id = `${pool}\n${build.buildRef}`;
    const { replicaId } = build;
    this.#running.delete(id);
    if (replicaId === undefined || this.#running.size >= MAX_RUNNING) return;
    this.#running.set(id, { pool, build: { ...build, replicaId }, sinceMs: this.#clock.nowMs() });
  }

  /** A build has ended. */
  ended(pool: string, build: FinishedBuild): void {
    const { buildRef, caller, key, replicaId, reason, waitedMs, ranMs, outcome, cause, receivedBytes, sentBytes } =
      build;
    this.#running.delete(`${pool}\n${buildRef}`);
    const now = this.#clock.wallTime();
    const view: EndedView = {
      pool,
      buildRef,
      ...describe(caller, key),
      ...(replicaId !== undefined && { replica: replicaId }),
      reason: reason ?? "none",
      waitedMs,
      ranMs,
      receivedBytes,
      sentBytes,
      outcome,
      ...(cause !== "" && { cause }),
      endedAt: now.toISOString(),
    };
    const hasFailed = FAILED.includes(outcome);
    remember(this.#ended, view, MAX_ENDED);
    if (hasFailed) remember(this.#failures, view, MAX_FAILURES);
    const minute = this.#minute(Math.floor(now.getTime() / MINUTE_MS));
    minute.builds++;
    if (KEYED.includes(view.reason)) minute.keyed++;
    if (reason === "warm") minute.warm++;
    if (hasFailed) minute.failed++;
    minute.waitMs = Math.max(minute.waitMs, waitedMs);
  }

  view(): ActivityView {
    const nowMs = this.#clock.nowMs();
    const oldest = Math.floor(this.#clock.wallTime().getTime() / MINUTE_MS) - MINUTES;
    return {
      running: [...this.#running.values()].map((running) => runningView(running, nowMs)),
      ended: this.#ended,
      failures: this.#failures,
      minutes: this.#minutes
        .filter(({ number }) => number > oldest)
        .map(({ number, ...counts }) => ({ at: new Date(number * MINUTE_MS).toISOString(), ...counts })),
    };
  }

  #minute(number: number): Minute {
    const last = this.#minutes.at(-1);
    if (last?.number === number) return last;
    const minute = { number, builds: 0, warm: 0, keyed: 0, failed: 0, waitMs: 0 };
    this.#minutes.push(minute);
    if (this.#minutes.length > MINUTES) this.#minutes.shift();
    return minute;
  }
}

function runningView({ pool, build, sinceMs }: Running, nowMs: number): RunningView {
  const steps = build.steps();
  return {
    pool,
    replica: build.replicaId,
    buildRef: build.buildRef,
    ...describe(build.caller, build.key),
    reason: build.reason() ?? "",
    waitedMs: build.waitedMs,
    ranMs: Math.round(nowMs - sinceMs),
    ...build.moved(),
    ...(steps && { steps }),
  };
}

/** What people know a build by. */
function describe(
  { repository, workload, job, runId }: Caller,
  key: string | undefined,
): Pick<RunningView, "name" | "job" | "link"> {
  const link = repository !== undefined && runId !== undefined ? runLink(repository, runId) : undefined;
  return {
    name: repository ?? key ?? workload ?? "",
    ...(job !== undefined && { job }),
    ...(link !== undefined && { link }),
  };
}

/** The page of a workflow's run; `undefined` where what is said is no repository of a GitHub, or no run of one. */
function runLink(repository: string, runId: string): string | undefined {
  const [, host, path] = /^([a-z0-9][a-z0-9.-]*)\/([\w.-]+\/[\w.-]+)$/i.exec(repository) ?? [];
  return host === undefined || !/^\d{1,20}$/.test(runId) ? undefined : `https://${host}/${path}/actions/runs/${runId}`;
}

function remember<T>(list: T[], item: T, max: number): void {
  list.unshift(item);
  if (list.length > max) list.length = max;
}
