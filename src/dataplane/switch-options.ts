import type { Duplex } from "node:stream";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { Caller } from "../identity/caller.ts";
import type { Callers } from "../identity/callers.ts";
import type { Policy } from "../identity/policy.ts";
import type { Router } from "../routing/router.ts";
import type { OnCallEnded } from "./call-end.ts";
import type { DownstreamLimits } from "./downstream-limits.ts";
import type { ReplicaHealth } from "./frozen-watch.ts";
import type { TlsMode } from "./listener.ts";
import type { OnReadDoor } from "./onread-door.ts";

/** Where the calls of a client may go: one fleet, and the façade that speaks for it. */
export interface SwitchPool {
  readonly router: Router;
  readonly log: Logger;
  /** TLS to the replicas; absent: cleartext. */
  readonly replicaTls: TlsMaterial | undefined;
  /** Serve one more in-process connection. */
  readonly joinFacade: (duplex: Duplex) => void;
  readonly replicaAddress: (replicaId: string) => Address | undefined;
  readonly cachedPong: () => Buffer | undefined;
  readonly onReplicaGoingAway: (replicaId: string, reason: string) => void;
  readonly onReplicaLost: (replicaId: string, reason: string) => void;
  readonly onReplicaReached?: (replicaId: string) => void;
  /** Absent: nobody checks whether replicas are well. */
  readonly health?: ReplicaHealth;
}

/**
 * Chooses a client's pool, by the name that its TLS hello asked for and by who
 * it is; an error is what the client is told.
 */
export type PoolChoice = (servername: string | undefined, caller: Caller) => SwitchPool | GatewayError;

/** What the switch is made of. */
export interface SwitchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: DownstreamLimits;
  /** Clients that may be connected at once. */
  readonly maxConnections: number;
  readonly tlsMode: TlsMode;
  readonly tls: TlsMaterial | undefined;
  /** How accepted sockets are read. Default: as fast as the runtime allows. */
  readonly onReadDoor?: OnReadDoor;
  readonly facadePaths: ReadonlySet<string>;
  readonly callers: Callers;
  /** What we say of every client to the replicas, as a claim's header. Default: nothing. */
  readonly claim?: () => string;
  /** How long it is tried again to connect for a call that can go nowhere else. Default 0: once. */
  readonly redialMs?: number;
  /** What to call a replica in messages to people. Default `replica`. */
  readonly upstreamNoun?: string;
  /** What callers may do. Default: everything. */
  readonly policy?: Policy;
  readonly onCallEnded?: OnCallEnded;
}
