import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/log.ts";
import type { BuildSteps } from "./buildkit/history-event.ts";
import { describeCaller } from "./identity/caller.ts";
import type { Fleet } from "./replicas/fleet.ts";
import { ToldSteps } from "./replicas/told-steps.ts";
import type { BuildEnd } from "./routing/running-build.ts";

/** Time that a replica has to say how many steps a build had that has ended, before that is logged without. */
const STEPS_TIMEOUT_MS = 500;

/** Writes one line for each build that has ended. */
export class BuildLog {
  readonly #log: Logger;
  readonly #fleet: Fleet;
  readonly #steps: ToldSteps;

  constructor(clock: Clock, log: Logger, fleet: Fleet) {
    this.#log = log;
    this.#fleet = fleet;
    this.#steps = new ToldSteps(clock);
    fleet.onNews((_replicaId, { event }) => this.#steps.told(event));
  }

  ended(build: BuildEnd): void {
    // The cause may hold what the build ran, and with it secrets.
    const { caller, replicaId: replica, cause: _, ...told } = build;
    const tell = (known: BuildSteps | undefined): void =>
      this.#log.info({ ...told, replica, ...(known && { steps: known }), ...describeCaller(caller) }, "build ended");
    const isTold = replica !== undefined && this.#fleet.replica(replica)?.loadUnknown === undefined;
    this.#steps.after(build.buildRef, isTold ? STEPS_TIMEOUT_MS : 0, tell);
  }
}
