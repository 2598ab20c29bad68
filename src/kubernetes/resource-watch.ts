import { backoffDelayMs } from "../base/backoff.ts";
import type { Cancel } from "../base/clock.ts";
import { Coalesced } from "../base/coalesced.ts";
import type { Logger } from "../base/log.ts";
import { ApiFailure } from "./api-failure.ts";
import { type ApiObject, objectKey } from "./api-object.ts";
import type { ApiServer } from "./api-request.ts";
import { neededRole } from "./needed-role.ts";
import { listObjects } from "./object-list.ts";
import { qualifiedName, type Resource, type Selection } from "./resource.ts";
import { type WatchEvent, watchOnce } from "./watch-request.ts";
import type { WatchState } from "./watch-state.ts";

/** What to follow, and who hears of it. */
export interface ResourceWatchOptions<T> {
  readonly server: ApiServer;
  readonly resource: Resource;
  readonly selection?: Selection;
  readonly log: Logger;
  /**
   * What is to be known of an object, which is not kept itself; undefined: it is
   * as if it were not there. Must not throw, whatever the object holds.
   */
  readonly project: (object: ApiObject) => T | undefined;
  /**
   * Hears all that is known, by `namespace/name`, after the first list and after
   * changes: at once, and at most every 50 ms. The map goes on changing.
   */
  readonly onChange: (all: ReadonlyMap<string, T>) => void;
  readonly onState?: (state: WatchState) => void;
  /** Objects that are taken. Default 50,000. */
  readonly maxObjects?: number;
  /** A watch that is silent for longer is renewed. Default 90,000: API servers send a bookmark about every minute. */
  readonly silenceMs?: number;
  /** A number in [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number;
}

const COALESCE_MS = 50;

/** Between two attempts that fail. */
const RETRY = { minMs: 500, maxMs: 10_000 };

/** The server ends a watch after this time at least, and up to twice as much, as client-go asks for (tools/cache/reflector.go). */
const MIN_WATCH_SECONDS = 300;

/** A watch that ends sooner, and has told nothing, has failed. */
const SHORT_WATCH_MS = 1_000;

/** Reasons that are remembered so as not to be told again. */
const MAX_SAID_REASONS = 100;

/**
 * Follows all objects of a type: lists them, then watches for changes, and never
 * gives up. What is known stays known while the API server is away.
 */
export class ResourceWatch<T> {
  readonly #options: ResourceWatchOptions<T>;
  #known = new Map<string, T>();
  #state: WatchState;
  /** Where a watch goes on from. Undefined: it must be listed first. */
  #version: string | undefined;
  #failures = 0;
  /** The version was forgotten, and no watch has gone well since. */
  #isRelisting = false;
  /** What was said of the failures since then. */
  readonly #saidReasons = new Set<string>();
  #heardMs: number | undefined;
  readonly #report: Coalesced;
  readonly #ending = new AbortController();
  #cancelPause: Cancel = () => {};

  /** Begins to list at once; `stop` ends it. */
  constructor(options: ResourceWatchOptions<T>) {
    this.#options = options;
    const { clock } = options.server;
    this.#state = { t: "syncing", sinceMs: clock.nowMs() };
    this.#report = new Coalesced(clock, COALESCE_MS, () => options.onChange(this.#known));
    void this.#follow();
  }

  get state(): WatchState {
    return this.#state;
  }

  /** Time since the server last confirmed what is known. Undefined: nothing is known yet. */
  get ageMs(): number | undefined {
    return this.#heardMs === undefined ? undefined : this.#options.server.clock.nowMs() - this.#heardMs;
  }

  stop(): void {
    this.#ending.abort();
    this.#cancelPause();
    this.#report.stop();
  }

  async #follow(): Promise<void> {
    while (!this.#isStopped) {
      try {
        this.#version ??= await this.#list();
        await this.#watch(this.#version);
      } catch (reason) {
        if (!this.#isStopped) await this.#pause(this.#failed(reason));
      }
    }
  }

  async #list(): Promise<string> {
    const { server, resource, selection = {}, project, maxObjects = 50_000 } = this.#options;
    const listed = new Map<string, T>();
    const signal = this.#ending.signal;
    const version = await listObjects(server, { resource, selection, maxObjects, signal }, (object) => {
      const wanted = project(object);
      if (wanted !== undefined) listed.set(objectKey(object), wanted);
    });
    this.#known = listed;
    this.#isWell();
    this.#report.changed();
    return version;
  }

  /** Resolves when the watch can go on at once from the last version. */
  async #watch(resourceVersion: string): Promise<void> {
    const { server, resource, selection = {}, log, silenceMs = 90_000, random = Math.random } = this.#options;
    const timeoutSeconds = Math.floor(MIN_WATCH_SECONDS * (1 + random()));
    const signal = this.#ending.signal;
    const begunMs = server.clock.nowMs();
    let hasHeard = false;
    const reason = await watchOnce(
      server,
      { resource, selection, resourceVersion, timeoutSeconds, silenceMs, signal },
      {
        onOpen: () => this.#isWell(),
        onEvents: (events) => {
          if (this.#isStopped) return;
          hasHeard = true;
          this.#recovered();
          this.#heardMs = server.clock.nowMs();
          this.#apply(events);
        },
      },
    );
    if (this.#isStopped) return;
    log.debug({ resource: qualifiedName(resource), reason }, "watch ended, going on");
    if (hasHeard) return;
    if (server.clock.nowMs() - begunMs < SHORT_WATCH_MS) {
      throw new ApiFailure("unreachable", `${server.access.server.host}: a watch ended at once: ${reason}`);
    }
    // Not even a bookmark: a version that the server has not reached, after a restore, is watched in silence.
    this.#version = undefined;
    this.#recovered();
  }

  #recovered(): void {
    this.#failures = 0;
    this.#isRelisting = false;
    this.#saidReasons.clear();
  }

  #apply(events: readonly WatchEvent[]): void {
    const { project, maxObjects = 50_000 } = this.#options;
    let hasChanged = false;
    for (const event of events) {
      if (event.t !== "bookmark") {
        const key = objectKey(event.object);
        const wanted = event.t === "stored" ? project(event.object) : undefined;
        if (wanted === undefined) hasChanged = this.#known.delete(key) || hasChanged;
        else {
          this.#known.set(key, wanted);
          hasChanged = true;
        }
      }
      this.#version = event.resourceVersion ?? this.#version;
    }
    if (hasChanged) this.#report.changed();
    if (this.#known.size > maxObjects) throw new ApiFailure("unreadable", `more than ${maxObjects} objects`);
  }

  /** How long to wait before the next attempt. */
  #failed(reason: unknown): number {
    const { server, random = Math.random } = this.#options;
    const failure = reason instanceof ApiFailure ? reason : new ApiFailure("unreadable", String(reason));
    this.#failures++;
    if (!isVersionGood(failure, this.#failures)) this.#version = undefined;
    if (failure.kind === "gone" && !this.#isRelisting) {
      // A version that has been forgotten is no fault: it is listed at once, unless that has not helped.
      this.#isRelisting = true;
      return 0;
    }
    this.#transition({
      t: "stale",
      sinceMs: this.#state.t === "stale" ? this.#state.sinceMs : server.clock.nowMs(),
      kind: failure.kind,
      reason: failure.message,
    });
    return Math.max(backoffDelayMs(this.#failures, RETRY, random()), failure.retryAfterMs ?? 0);
  }

  #isWell(): void {
    if (this.#isStopped) return;
    const nowMs = this.#options.server.clock.nowMs();
    this.#heardMs = nowMs;
    if (this.#state.t !== "live") this.#transition({ t: "live", sinceMs: nowMs });
  }

  /** The only place where the state changes. */
  #transition(state: WatchState): void {
    const from = this.#state;
    this.#state = state;
    if (from.t === "stale" && state.t === "stale" && from.reason === state.reason) return;
    this.#log(from, state);
    this.#options.onState?.(state);
  }

  /** Each reason is told once, until a watch has gone well. */
  #log(from: WatchState, to: WatchState): void {
    const { log, resource } = this.#options;
    const fields = { resource: qualifiedName(resource), namespace: resource.namespace, from: from.t, to: to.t };
    if (to.t !== "stale") {
      log.info(fields, "watch state changed");
      return;
    }
    const { reason, kind } = to;
    if (this.#saidReasons.has(reason)) log.debug({ ...fields, reason }, "watch state changed");
    else if (kind !== "forbidden") log.warn({ ...fields, reason }, "watch state changed");
    else {
      const role = neededRole(resource, ["list", "watch"], reason);
      log.error({ ...fields, reason, role }, "watch state changed: apply this role");
    }
    if (this.#saidReasons.size >= MAX_SAID_REASONS) this.#saidReasons.clear();
    this.#saidReasons.add(reason);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.server.clock.after(delayMs, resolve);
      this.#cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }

  get #isStopped(): boolean {
    return this.#ending.signal.aborted;
  }
}

/** Whether a watch can go on from its version when it works again. Some servers refuse one from the future with 504 each time. */
function isVersionGood({ kind }: ApiFailure, failures: number): boolean {
  if (kind === "busy") return failures < 3;
  return kind === "unreachable" || kind === "unauthorized" || kind === "forbidden";
}
