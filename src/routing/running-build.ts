import type { Cancel, Clock } from "../base/clock.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { type Caller, callerKey } from "../identity/caller.ts";
import type { Policy } from "../identity/policy.ts";
import type { BuildGroupsOptions } from "./build-groups-options.ts";
import type { BuildKeys } from "./build-keys.ts";
import type { BuildObserver } from "./build-observer.ts";
import type { PlacementReason } from "./placement-reason.ts";
import type { CallOutcome, MovedBytes, RoutedCall } from "./routed-call.ts";

/** Where a build is now. */
export interface BuildPlace extends Pick<BuildEnd, "buildRef" | "caller" | "key" | "replicaId" | "waitedMs"> {
  /** Why there, as far as it has been said yet. */
  readonly reason: () => BuildEnd["reason"];
  /** What has passed so far. */
  readonly moved: () => MovedBytes;
}

/** One build from its Solve to its end, with what has passed in its Solve, its Status and its Session. */
export interface BuildEnd extends MovedBytes {
  readonly buildRef: string;
  readonly caller: Caller;
  /** What its cache is known by. */
  readonly key: string | undefined;
  /** Where it ran; `undefined`: nowhere. */
  readonly replicaId: string | undefined;
  /** Why there; `followed`: an earlier build of its client's ran there. */
  readonly reason: PlacementReason["t"] | "followed" | undefined;
  /** From its Solve until it was sent to a replica, or given up. */
  readonly waitedMs: number;
  /** From there to its end; 0 where it ran nowhere. */
  readonly ranMs: number;
  readonly outcome: CallOutcome;
  /** What its replica or the gateway said of a bad end, which may hold what the build ran. Empty: nothing. */
  readonly cause: string;
}

/** What hears of running builds. */
export type RunningBuildsOptions = Pick<
  BuildGroupsOptions,
  "fleet" | "placer" | "warmth" | "clock" | "policy" | "onBuildMoved" | "onBuildEnded" | "observeBuild"
>;

/** A build that has not ended. */
export interface TrackedBuild {
  /** Who is to be told what the build itself does not see. */
  readonly observer: BuildObserver | undefined;
  /** It goes to this replica, or for now to none. */
  moveTo(replicaId: string | undefined): void;
  /** Its Solve is about to be sent to the replica that it has moved to. */
  released(replicaId: string): void;
  /** It has ended. */
  end(): void;
}

/**
 * Makes builds count: as load of their replica, and as one more of their fair
 * key. What has succeeded has warmed its replica. Tells of each build's end.
 */
export class RunningBuilds {
  readonly #options: RunningBuildsOptions;
  readonly #keys: BuildKeys;
  readonly #reasons = new WeakMap<RoutedCall, PlacementReason>();

  constructor(options: RunningBuildsOptions, keys: BuildKeys) {
    this.#options = options;
    this.#keys = keys;
  }

  /** A Solve has been placed, for this reason; those that are never told of followed another. */
  placed(call: RoutedCall, reason: PlacementReason): void {
    this.#reasons.set(call, reason);
  }

  /** A build that is not internal has come; `moved`: what has passed in its calls. */
  track(call: RoutedCall, solve: SolveRequest, moved: () => MovedBytes): TrackedBuild {
    const { fleet, placer, warmth, clock, policy, onBuildMoved, onBuildEnded, observeBuild } = this.#options;
    const observer = observeBuild?.(call, solve);
    // Asked again at each move: its Session may have said meanwhile what its cache is shared by.
    let key: string | undefined;
    const stopwatch = new Stopwatch(clock);
    const reasonOf = (replicaId: string | undefined): BuildEnd["reason"] =>
      replicaId === undefined ? undefined : (this.#reasons.get(call)?.t ?? "followed");
    let place: { readonly replicaId: string; readonly leave: Cancel } | undefined;
    const moveTo = (replicaId: string | undefined): void => {
      place?.leave();
      place = undefined;
      stopwatch.isRunning(replicaId !== undefined);
      if (replicaId !== undefined) key = this.#keys.keyOf(solve, call.caller);
      const { buildRef } = solve;
      const { waitedMs } = stopwatch.read();
      const reason = () => reasonOf(replicaId);
      onBuildMoved?.({ buildRef, caller: call.caller, key, replicaId, waitedMs, reason, moved });
      if (replicaId === undefined) return;
      const endLoad = fleet.buildStarted(replicaId, solve.buildRef);
      const endTurn = placer.buildStarted(fairTurn(key, call, policy).fairKey);
      const leave = () => {
        endTurn();
        endLoad();
      };
      place = { replicaId, leave };
    };
    return {
      observer,
      moveTo: (replicaId) => {
        observer?.chosen(replicaId);
        moveTo(replicaId);
      },
      released: (replicaId) => observer?.released(replicaId, this.#reasons.get(call) ?? { t: "followed" }, key),
      end: () => {
        const replicaId = place?.replicaId;
        const { outcome = "cancelled" } = call;
        // First: what the end of its load lets go may be of the same key.
        if (key !== undefined && replicaId !== undefined && outcome === "succeeded") warmth.built(key, replicaId);
        const reason = reasonOf(replicaId);
        const times = stopwatch.read();
        moveTo(undefined);
        const cause = outcome === "succeeded" ? "" : (call.ending?.message ?? "");
        const { buildRef } = solve;
        const { caller } = call;
        const end = { buildRef, caller, key, replicaId, reason, ...times, ...moved(), outcome, cause };
        observer?.ended(end);
        onBuildEnded?.(end);
      },
    };
  }
}

/** Tells how long a build has waited and how long it has run where it runs. */
class Stopwatch {
  readonly #clock: Clock;
  readonly #startMs: number;
  #runningSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
  }

  isRunning(isRunning: boolean): void {
    this.#runningSinceMs = isRunning ? this.#clock.nowMs() : undefined;
  }

  read(): { waitedMs: number; ranMs: number } {
    const nowMs = this.#clock.nowMs();
    const runningSinceMs = this.#runningSinceMs ?? nowMs;
    return { waitedMs: Math.round(runningSinceMs - this.#startMs), ranMs: Math.round(nowMs - runningSinceMs) };
  }
}

/** Whose turn a build takes in the queue, and how many of it may run at once. */
export interface FairTurn {
  readonly fairKey: string;
  /** `undefined`: the usual number. */
  readonly perKey: number | undefined;
}

/**
 * The turn of a build: its caller's repository's, which a client cannot choose,
 * else that of what its cache is known by, else its caller's, else its client's
 * address's. Where a policy bounds its caller's builds, never that of the cache:
 * each new one would be a turn of its own.
 */
export function fairTurn(
  key: string | undefined,
  call: Pick<RoutedCall, "caller" | "client">,
  policy?: Policy,
): FairTurn {
  const { caller, client } = call;
  const rule = policy?.ruleFor(caller);
  const whose = callerKey(caller) ?? `client:${client.host}`;
  if (rule && rule.maxBuilds > 0) return { fairKey: `${rule.name}: ${whose}`, perKey: rule.maxBuilds };
  return { fairKey: caller.repository ?? key ?? whose, perKey: undefined };
}
