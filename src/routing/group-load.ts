import type { Cancel } from "../base/clock.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import type { RoutedCall } from "./routed-call.ts";

/** Counts a build on a replica, until its result is called. */
export type StartBuild = (replicaId: string, call: RoutedCall, solve: SolveRequest) => Cancel;

/** A build, and the way to take it off its replica's load; absent where it is on none. */
interface OpenBuild {
  readonly solve: SolveRequest;
  readonly end: Cancel | undefined;
}

/** Counts the open builds of one group as load of the replica that the group goes to. */
export class GroupLoad {
  readonly #startBuild: StartBuild;
  readonly #builds = new Map<RoutedCall, OpenBuild>();
  #replicaId: string | undefined;

  constructor(startBuild: StartBuild) {
    this.#startBuild = startBuild;
  }

  /** A build that is not internal has joined the group. */
  add(call: RoutedCall, solve: SolveRequest): void {
    this.#builds.set(call, { solve, end: this.#start(call, solve) });
  }

  /** A call has ended; only builds count. */
  remove(call: RoutedCall): void {
    this.#builds.get(call)?.end?.();
    this.#builds.delete(call);
  }

  /** The group goes to this replica, or for now to none. */
  moveTo(replicaId: string | undefined): void {
    if (replicaId === this.#replicaId) return;
    this.#replicaId = replicaId;
    for (const [call, { solve, end }] of this.#builds) {
      end?.();
      this.#builds.set(call, { solve, end: this.#start(call, solve) });
    }
  }

  #start(call: RoutedCall, solve: SolveRequest): Cancel | undefined {
    return this.#replicaId === undefined ? undefined : this.#startBuild(this.#replicaId, call, solve);
  }
}
