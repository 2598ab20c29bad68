import { GatewayError } from "../base/errors.ts";
import type { ConnectOutcome } from "../routing/routed-call.ts";
import type { Call } from "./call.ts";
import type { Dialed } from "./dialer.ts";
import { UpstreamConnection, type UpstreamOwner, type UpstreamServices } from "./upstream-connection.ts";

/** The in-process upstream that answers for the whole fleet. Not a name that discovery may give. */
export const FACADE_ID = "(facade)";

/** Time between two tries to connect for a call that has nowhere else to go. */
const REDIAL_EVERY_MS = 250;

/** What connecting needs, for any client. */
export interface DialingServices extends UpstreamServices {
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
}

/** Whose connections they are. */
export interface ConnectingClient {
  /** Its address without the port. */
  readonly host: string;
  /** The call cannot be sent to its replica. */
  callUnreachable(call: Call, error: GatewayError): void;
}

/** The connections to replicas of one client: its own, which end with it. */
export class ClientUpstreams implements UpstreamOwner {
  readonly #client: ConnectingClient;
  readonly #services: DialingServices;
  /** Those that take new calls, by replica. */
  readonly #current = new Map<string, UpstreamConnection>();
  /** Those that take no new ones, and end with the calls that they have. Allocated with the first. */
  #leaving: Set<UpstreamConnection> | undefined;
  #isClosed = false;

  constructor(client: ConnectingClient, services: DialingServices) {
    this.#client = client;
    this.#services = services;
  }

  /** Whether a call of the client's has been open on a replica less than `withinMs` ago. */
  uses(replicaId: string, withinMs: number): boolean {
    return this.#open.some((upstream) => upstream.replicaId === replicaId && upstream.idleMs < withinMs);
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
    const { clock, redialMs, upstreamNoun, onReplicaLost } = this.#services;
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
        this.#client.callUnreachable(call, new GatewayError("upstream_lost", text));
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
    for (const upstream of this.#open) upstream.close();
    this.#current.clear();
  }

  upstreamReady({ replicaId }: UpstreamConnection): void {
    if (replicaId !== FACADE_ID) this.#services.onReplicaReached?.(replicaId);
  }

  upstreamFailed({ replicaId }: UpstreamConnection, err: unknown): void {
    this.#services.log.error({ err, client: this.#client.host, replica: replicaId }, "reading a connection failed");
  }

  upstreamGoingAway(upstream: UpstreamConnection, reason: string): void {
    this.#forget(upstream);
    this.#leaving ??= new Set();
    this.#leaving.add(upstream);
    if (upstream.replicaId !== FACADE_ID) this.#services.onReplicaGoingAway(upstream.replicaId, reason);
  }

  upstreamEnded(upstream: UpstreamConnection, cause: Error, isExpected: boolean): void {
    this.#forget(upstream);
    this.#leaving?.delete(upstream);
    const { replicaId } = upstream;
    if (!isExpected && replicaId !== FACADE_ID) this.#services.onReplicaLost(replicaId, cause.message);
  }

  /** All that are open, going away or not; a copy, so that they may end while it is walked. */
  get #open(): UpstreamConnection[] {
    return [...this.#current.values(), ...(this.#leaving ?? [])];
  }

  /** The connection that takes new calls for a replica. */
  #upstream(replicaId: string): UpstreamConnection | undefined {
    const current = this.#current.get(replicaId);
    if (current) return current;
    const { dialReplica, dialFacade } = this.#services;
    const dialed = this.#isClosed ? undefined : replicaId === FACADE_ID ? dialFacade() : dialReplica(replicaId);
    if (!dialed) return undefined;
    const upstream = new UpstreamConnection(replicaId, dialed, this.#services, this);
    this.#current.set(replicaId, upstream);
    return upstream;
  }

  #forget(upstream: UpstreamConnection): void {
    if (this.#current.get(upstream.replicaId) === upstream) this.#current.delete(upstream.replicaId);
  }
}
