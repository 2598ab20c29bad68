import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { Discovery } from "./discovery/discovery.ts";
import type { HealthOptions, MonitorOptions } from "./monitor-options.ts";

/** What a fleet is made from. */
export interface FleetOptions {
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Logger;
  readonly health?: HealthOptions;
  /**
   * What workers are said to build for while no replica has ever answered, such as `linux/amd64`, the machines'
   * own first: where any replica has it, those of another architecture are kept out. Empty: this machine's, and what most replicas have.
   */
  readonly platforms: readonly string[];
  /** How to speak to the replicas. Absent: cleartext. */
  readonly tls?: TlsMaterial;
  readonly onChecked?: MonitorOptions["onChecked"];
  /** A number in [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number;
}
