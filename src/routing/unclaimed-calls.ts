import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { BuildOwner, GroupFleet } from "./build-groups-options.ts";
import { refToken } from "./build-tokens.ts";
import type { RoutedCall } from "./routed-call.ts";
import type { WaitingCalls } from "./waiting-calls.ts";

/** How long buildkitd itself waits for the build of a frontend call, and of a Status (control/gateway and solver of moby/buildkit). */
const BRIDGE_WAIT_MS = 3_000;
const STATUS_WAIT_MS = 6_000;

/** A Solve comes within milliseconds of the calls it belongs to: for a frontend's, replicas are not asked before this. */
const LOCATE_AFTER_MS = 100;

/** What seeks a build needs. */
export interface UnclaimedCallsOptions {
  readonly waiting: WaitingCalls;
  readonly fleet: Pick<GroupFleet, "locateBuild">;
  readonly log: Logger;
  /** Send the call to the replica that has its build. */
  readonly sendTo: (call: RoutedCall, buildRef: string, replicaId: string) => void;
  /** Send the call to any replica: it will wait once more, and say in its own words that it knows no such build. */
  readonly sendAnywhere: (call: RoutedCall) => void;
}

/** Frontend calls and Statuses of a build that no Solve has named: it may be about to be, or be another's, or an old one. */
export class UnclaimedCalls {
  readonly #options: UnclaimedCallsOptions;

  constructor(options: UnclaimedCallsOptions) {
    this.#options = options;
  }

  /**
   * Wait for the Solve that names this build; where none comes, go to whoever
   * has the build. Else a Status is told why, and other calls go to any replica.
   * `isSolving`: a Solve of the call's client is on the way.
   */
  seek(call: RoutedCall, buildRef: string, isSolving: boolean): void {
    const { waiting, sendAnywhere } = this.#options;
    let reason: BuildOwner;
    const giveUp = () => {
      if (!waiting.remove(call)) return;
      // A replica would wait for as long again.
      if (call.kind === "status" && reason instanceof GatewayError) call.fail(reason, true);
      else sendAnywhere(call);
    };
    const goToOwner = () =>
      this.#goToOwner(call, buildRef, (why) => {
        reason = why;
      });
    const waitMs = call.kind === "status" ? STATUS_WAIT_MS : BRIDGE_WAIT_MS;
    waiting.add(call, refToken(buildRef));
    // A Status alone is common (`history logs`) and waits for nothing; a frontend's call has its Solve close by.
    if (call.kind === "status" && !isSolving) {
      waiting.afterWaiting(call, waitMs, giveUp);
      goToOwner();
      return;
    }
    waiting.afterWaiting(call, LOCATE_AFTER_MS, () => {
      waiting.afterWaiting(call, waitMs - LOCATE_AFTER_MS, giveUp);
      goToOwner();
    });
  }

  /** Ask the replicas who has a build, and send the call there unless its Solve has come meanwhile. */
  #goToOwner(call: RoutedCall, buildRef: string, onNobody: (why: BuildOwner) => void): void {
    const { waiting, fleet, log, sendTo } = this.#options;
    fleet.locateBuild(buildRef).then(
      (owner) => {
        if (typeof owner !== "string") onNobody(owner);
        else if (waiting.remove(call)) sendTo(call, buildRef, owner);
      },
      (error: unknown) => log.debug({ err: error, buildRef }, "build not located"),
    );
  }
}
