import type { Cancel } from "../base/clock.ts";
import type { Fleet } from "./fleet.ts";
import type { Replica } from "./replica.ts";

/** Which replicas fail their health checks: those that are out, and those that discovery has dropped besides. */
export class UnwellReplicas {
  readonly #fleet: Pick<Fleet, "replica" | "onChange">;

  constructor(fleet: Pick<Fleet, "replica" | "onChange">) {
    this.#fleet = fleet;
  }

  /** Why a replica is out, for people; `undefined`: it is well, or there is none of that name. */
  readonly whyUnwell = (replicaId: string): string | undefined => reasonOf(this.#fleet.replica(replicaId));

  /** Hear of every replica that goes out; while it is, again with each change and, once dropped, each failed check. */
  readonly onUnwell = (listener: (replicaId: string) => void): Cancel =>
    this.#fleet.onChange((replica) => {
      if (reasonOf(replica) !== undefined) listener(replica.id);
    });
}

function reasonOf(replica: Replica | undefined): string | undefined {
  if (replica?.state.t === "ejected") return replica.state.reason;
  return replica?.state.t === "gone" && replica.isFailing ? "no longer discovered, and its checks fail" : undefined;
}
