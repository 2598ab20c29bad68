import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { printable } from "../base/printable.ts";
import type { Finding, Outcome, Section } from "./finding.ts";

/** What a step found out. Absent `value`: the steps that need this one cannot be made. */
export interface Answer<T> {
  readonly outcome: Outcome;
  readonly value?: T;
  /** Findings beside its own, under names of their own. */
  readonly more?: readonly { readonly check: string; readonly outcome: Outcome }[];
}

/** A step that is over. */
export interface Done<T> {
  readonly check: string;
  /** Absent: it failed, or was not made. */
  readonly value?: T;
}

/** A step that is to be made. */
export interface Step<T> {
  readonly check: string;
  /** Steps without whose value this one makes no sense. */
  readonly needs?: readonly Done<unknown>[];
  readonly timeoutMs: number;
  /** `signal` ends it: nobody waits for it any more. */
  readonly run: (signal: AbortSignal) => Promise<Answer<T>>;
}

/** Longest text of one finding. */
const MAX_CHARACTERS = 1_000;

/** Makes the steps of one section, one after another, each within its own time and all within the deadline. */
export class Steps {
  readonly #section: Section;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #findings: Finding[] = [];

  /** `deadlineMs` is a time of the clock. */
  constructor(section: Section, clock: Clock, deadlineMs: number) {
    this.#section = section;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
  }

  /** In the order in which they were made. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** Make a step. Never rejects: what it throws is a failure. */
  async make<T>({ check, needs = [], timeoutMs, run }: Step<T>): Promise<Done<T>> {
    const missing = needs.find(({ value }) => value === undefined);
    if (missing) return this.skip(check, `needs ${missing.check}`);
    const timeMs = Math.floor(Math.min(timeoutMs, this.#deadlineMs - this.#clock.nowMs()));
    if (timeMs <= 0) return this.skip(check, "no time was left for it");
    const { outcome, value, more = [] } = await this.#inTime(timeMs, run);
    this.#add(check, outcome);
    for (const { check: other, outcome: its } of more) this.#add(other, its);
    return { check, ...(value !== undefined && { value }) };
  }

  /** Say why a step is not made. */
  skip<T>(check: string, seen: string): Done<T> {
    this.#add(check, { t: "skipped", seen });
    return { check };
  }

  #inTime<T>(timeMs: number, run: Step<T>["run"]): Promise<Answer<T>> {
    const ending = new AbortController();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeMs, () => {
        const seen = `no answer within ${formatDuration(timeMs)}`;
        const fix = "check routes, network policies and proxies on the way";
        resolve({ outcome: { t: "failure", seen, fix } });
        ending.abort();
      });
      const fail = (reason: unknown) => {
        const seen = reason instanceof Error ? reason.message : String(reason);
        resolve({ outcome: { t: "failure", seen, fix: "run it again; if it stays, report it with this line" } });
      };
      // A step may also throw before it has a promise to give.
      Promise.resolve(ending.signal)
        .then(run)
        .then(resolve, fail)
        .finally(() => {
          cancel();
          ending.abort();
        });
    });
  }

  #add(check: string, outcome: Outcome): void {
    const show = (text: string) => printable(text, MAX_CHARACTERS);
    const shown = "fix" in outcome ? { ...outcome, fix: show(outcome.fix) } : outcome;
    this.#findings.push({
      section: this.#section,
      check: show(check),
      outcome: { ...shown, seen: show(outcome.seen) },
    });
  }
}
