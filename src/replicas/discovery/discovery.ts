import type { Cancel } from "../../base/clock.ts";
import type { Endpoint } from "../replica.ts";

/** Where replicas are found. */
export interface Discovery {
  /**
   * Report all endpoints, at first and whenever they change, until cancelled.
   *
   * Each report is complete: an endpoint that is missing from it is gone. The
   * first may come before `start` returns. Ids are unique in a report.
   */
  start(onEndpoints: (endpoints: readonly Endpoint[]) => void): Cancel;
}
