import type { SolveRequest } from "../buildkit/solve-request.ts";
import type { Waiting } from "./placer.ts";
import type { MovedBytes, RoutedCall } from "./routed-call.ts";
import type { RunningBuilds, TrackedBuild } from "./running-build.ts";

/** Counts the open builds of one group as load of the replica that the group goes to, and tells who observes them. */
export class GroupLoad {
  readonly #running: Pick<RunningBuilds, "track">;
  readonly #builds = new Map<RoutedCall, TrackedBuild>();
  #replicaId: string | undefined;
  /** What the group was last told of its wait, while it waits. */
  #waiting: Waiting | undefined;

  constructor(running: Pick<RunningBuilds, "track">) {
    this.#running = running;
  }

  /** A build that is not internal has joined the group; `moved`: what has passed in its calls. */
  add(call: RoutedCall, solve: SolveRequest, moved: () => MovedBytes): void {
    const build = this.#running.track(call, solve, moved);
    this.#builds.set(call, build);
    if (this.#replicaId !== undefined) build.moveTo(this.#replicaId);
    else if (this.#waiting) build.observer?.waits(this.#waiting);
  }

  /** A call has ended; only builds count. */
  remove(call: RoutedCall): void {
    this.#builds.get(call)?.end();
    this.#builds.delete(call);
  }

  /** A replica is looked for. */
  placing(): void {
    for (const { observer } of this.#builds.values()) observer?.placing();
  }

  /** The group has to wait for a replica, or something of what is said of that has changed. */
  waits(waiting: Waiting): void {
    this.#waiting = waiting;
    for (const { observer } of this.#builds.values()) observer?.waits(waiting);
  }

  /** A call is about to be sent to its replica. */
  releasing(call: RoutedCall, replicaId: string): void {
    this.#builds.get(call)?.released(replicaId);
  }

  /** The group goes to this replica, or for now to none. */
  moveTo(replicaId: string | undefined): void {
    if (replicaId === this.#replicaId) return;
    this.#replicaId = replicaId;
    this.#waiting = undefined;
    for (const build of this.#builds.values()) build.moveTo(replicaId);
  }
}
