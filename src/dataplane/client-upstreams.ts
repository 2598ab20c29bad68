import type { Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { Call } from "./call.ts";
import type { ConnectionLimits } from "./connection-options.ts";
import type { Dialed } from "./dialer.ts";
import type { ReplicaHealth } from "./frozen-watch.ts";
import type { OnLimit } from "./over-limit.ts";
import type { TurnFlusher } from "./turn-flusher.ts";
import { UpstreamConnection } from "./upstream-connection.ts";

/** The in-process upstream that answers for the whole fleet. Not a name that discovery may give. */
export const FACADE_ID = "(facade)";

/** Time between two tries to connect for a call that has nowhere else to go. */
const REDIAL_EVERY_MS = 250;

/** What connecting for one client needs. */
export interface ClientUpstreamsOptions {
  readonly clock: Clock;
  /** Names the client. */
  readonly log: Logger;
  readonly flusher: TurnFlusher;
  readonly limits: ConnectionLimits;
  readonly connectTimeoutMs: number;
  readonly onLimit: OnLimit;
  /** How long a replica that fails its health checks may be silent while it has calls. 0: for ever. */
  readonly frozenAfterMs: number;
  /** Which replicas fail them. Absent: nobody checks. */
  readonly health?: ReplicaHealth;
  /** How long it is tried again to connect for a call that has been sent to a replica. 0: once. */
  readonly redialMs: number;
  /** What to call a replica in messages to people. */
  readonly upstreamNoun: string;
  /** Begin to connect to a replica; `undefined` where there is none of that name any more. */
  readonly dialReplica: (replicaId: string) => Dialed | undefined;
  /** Join one more in-process connection to the façade. */
  readonly dialFacade: () => Dialed;
  readonly onReplicaGoingAway: (replicaId: string, reason: string) => void;
  readonly onReplicaLost: (replicaId: string, reason: string) => void;
  /** A new connection to it takes calls. */
  readonly onReplicaReached?: (replicaId: string) => void;
  /** The call cannot be sent to its replica. */
  readonly onUnreachable: (call: Call, error: GatewayError) => void;
}

/** The connections to replicas of one client: its own, which end with it. */
export class ClientUpstreams {
  readonly #options: ClientUpstreamsOptions;
  /** Those that take new calls, by replica. */
  readonly #current = new Map<string, UpstreamConnection>();
  /** All that are open, going away or not. */
  readonly #open = new Set<UpstreamConnection>();
  #isClosed = false;

  constructor(options: ClientUpstreamsOptions) {
    this.#options = options;
  }

  /** Whether a call of the client's has been open on a replica less than `withinMs` ago. */
  uses(replicaId: string, withinMs: number): boolean {
    return [...this.#open].some((upstream) => upstream.replicaId === replicaId && upstream.idleMs < withinMs);
  }

  /** A replica fails its health checks: see whether it answers here. */
  suspect(replicaId: string): void {
    for (const upstream of this.#open) if (upstream.replicaId === replicaId) upstream.suspect();
  }

  isConnected(replicaId: string): boolean {
    return this.#current.get(replicaId)?.isReady === true;
  }

  connect(replicaId: string): Promise<ConnectOutcome> {
    return this.#upstream(replicaId)?.connected ?? Promise.resolve({ t: "failed", reason: "no longer discovered" });
  }

  /** Send a held call to a replica, connecting where that is needed. */
  release(call: Call, replicaId: string): void {
    const upstream = this.#upstream(replicaId);
    if (upstream?.isReady) call.join(upstream.openStream(), replicaId);
    else void this.#releaseLater(call, replicaId);
  }

  async #releaseLater(call: Call, replicaId: string): Promise<void> {
    const { clock, redialMs, upstreamNoun, onReplicaLost, onUnreachable } = this.#options;
    const endMs = clock.nowMs() + redialMs;
    for (;;) {
      const outcome = await this.connect(replicaId);
      if (!call.heldBody) return;
      const ready = this.#current.get(replicaId);
      if (outcome.t === "connected" && ready?.isReady) {
        call.join(ready.openStream(), replicaId);
        return;
      }
      const reason = outcome.t === "failed" ? outcome.reason : "connection closed";
      if (replicaId !== FACADE_ID) onReplicaLost(replicaId, reason);
      if (this.#isClosed || clock.nowMs() >= endMs) {
        const text = `${upstreamNoun} ${replicaId} cannot be reached: ${reason}`;
        onUnreachable(call, new GatewayError("upstream_lost", text));
        return;
      }
      await new Promise<void>((resolve) => {
        clock.after(REDIAL_EVERY_MS, resolve);
      });
    }
  }

  /** The client has gone. */
  close(): void {
    this.#isClosed = true;
    for (const upstream of [...this.#open]) upstream.close();
    this.#current.clear();
  }

  /** The connection that takes new calls for a replica. */
  #upstream(replicaId: string): UpstreamConnection | undefined {
    const current = this.#current.get(replicaId);
    if (current) return current;
    const { dialReplica, dialFacade, onReplicaGoingAway, onReplicaLost, onReplicaReached, health, ...options } =
      this.#options;
    const dialed = this.#isClosed ? undefined : replicaId === FACADE_ID ? dialFacade() : dialReplica(replicaId);
    if (!dialed) return undefined;
    const upstream: UpstreamConnection = new UpstreamConnection({
      ...options,
      replicaId,
      dialed,
      whyUnwell: () => health?.whyUnwell(replicaId),
      onGoingAway: (reason) => {
        this.#forget(replicaId, upstream);
        if (replicaId !== FACADE_ID) onReplicaGoingAway(replicaId, reason);
      },
      onEnded: (cause, isExpected) => {
        this.#forget(replicaId, upstream);
        this.#open.delete(upstream);
        if (!isExpected && replicaId !== FACADE_ID) onReplicaLost(replicaId, cause.message);
      },
    });
    if (onReplicaReached) {
      void upstream.connected.then(({ t }) => t === "connected" && onReplicaReached(replicaId));
    }
    this.#current.set(replicaId, upstream);
    this.#open.add(upstream);
    return upstream;
  }

  #forget(replicaId: string, upstream: UpstreamConnection): void {
    if (this.#current.get(replicaId) === upstream) this.#current.delete(replicaId);
  }
}
