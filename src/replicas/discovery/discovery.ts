import type { Cancel } from "../../base/clock.ts";
import type { Endpoint } from "../replica.ts";

/**
 * How well a discovery knows what there is: `syncing`, it has not been told yet;
 * `live`, it is told of changes; `stale`, it cannot ask, and keeps what it knew.
 */
export interface DiscoveryStatus {
  /** What is asked for what, for people: `Kubernetes discovery of buildkit/buildkit-replicas`. */
  readonly source: string;
  readonly state: "syncing" | "live" | "stale";
  /** Time since what it knows was last confirmed. Absent: it knows nothing yet. */
  readonly ageMs?: number;
  /** Why it is stale, or why it finds no replica though it is live, in one line. */
  readonly reason?: string;
}

/** Where replicas are found. */
export interface Discovery {
  /**
   * Report all endpoints, at first and whenever they change, until cancelled.
   *
   * Each report is complete: an endpoint that is missing from it is gone. The
   * first may come before `start` returns. Ids are unique in a report.
   * `onStatus` is called when a status has another state or reason.
   */
  start(onEndpoints: (endpoints: readonly Endpoint[]) => void, onStatus?: () => void): Cancel;
  /** Of each source that can fail. */
  status(): readonly DiscoveryStatus[];
}
