import type { Cancel } from "../base/clock.ts";
import type { RoutedCall } from "./routed-call.ts";

/** Counts the open builds of one group as load of the replica that the group goes to. */
export class GroupLoad {
  readonly #buildStarted: (replicaId: string) => Cancel;
  /** The way to take each open build off its replica's load; absent where it is on none. */
  readonly #builds = new Map<RoutedCall, Cancel | undefined>();
  #replicaId: string | undefined;

  /** `buildStarted` counts one build on a replica until its result is called. */
  constructor(buildStarted: (replicaId: string) => Cancel) {
    this.#buildStarted = buildStarted;
  }

  /** A build that is not internal has joined the group. */
  add(solve: RoutedCall): void {
    this.#builds.set(solve, this.#start());
  }

  /** A call has ended; only builds count. */
  remove(call: RoutedCall): void {
    this.#builds.get(call)?.();
    this.#builds.delete(call);
  }

  /** The group goes to this replica, or for now to none. */
  moveTo(replicaId: string | undefined): void {
    if (replicaId === this.#replicaId) return;
    this.#replicaId = replicaId;
    for (const [solve, end] of this.#builds) {
      end?.();
      this.#builds.set(solve, this.#start());
    }
  }

  #start(): Cancel | undefined {
    return this.#replicaId === undefined ? undefined : this.#buildStarted(this.#replicaId);
  }
}
