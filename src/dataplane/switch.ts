import type { Socket } from "node:net";
import type { Address } from "../base/address.ts";
import type { Cancel } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import { describeCaller } from "../identity/caller.ts";
import type { CallServices } from "./client-calls.ts";
import { dial } from "./dialer.ts";
import { DownstreamConnection, type DownstreamServices } from "./downstream-connection.ts";
import { inProcess } from "./in-process.ts";
import { LimitReports } from "./limit-reports.ts";
import { type AcceptedClient, Listener } from "./listener.ts";
import type { LimitName, OnLimit } from "./over-limit.ts";
import { PolicyGate } from "./policy-gate.ts";
import { ReadBufferPool } from "./read-buffers.ts";
import { RefusalLog } from "./refusal-log.ts";
import { RefusedClient } from "./refused-client.ts";
import type { PoolChoice, SwitchOptions, SwitchPool } from "./switch-options.ts";
import { Traffic } from "./traffic.ts";
import { TurnFlusher } from "./turn-flusher.ts";

/** A client that has had no call open for this long may be sent away while the gateway drains. */
const DRAIN_IDLE_MS = 2_000;

/** A client that has had no call open on a replica for this long needs it no more. */
const REPLICA_IDLE_MS = 1_000;

/** How often a draining gateway looks for idle clients. */
const DRAIN_CHECK_MS = 250;

/** Serves a connection that was accepted elsewhere and never read; `onClosed` hears when it is over. */
export type TakeClient = (socket: Socket, onClosed: () => void) => void;

/** What a switch has done and does, for whoever watches it. */
export interface SwitchCensus {
  readonly connections: number;
  /** Calls that are open, on all of them. */
  readonly calls: number;
  /** Connections that were taken since the start. */
  readonly accepted: number;
  /** Of those, they that were told why they are not served: no TLS or no trusted certificate. */
  readonly unauthenticated: number;
  /** Connections that were not taken, because there were as many as may be. */
  readonly refused: number;
  /** How often each limit ended or refused a call or a connection. */
  readonly limitHits: Readonly<Record<LimitName, number>>;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** The data plane as a whole: listeners, and the connections of clients. */
export class Switch {
  readonly #options: SwitchOptions;
  readonly #services = new Map<SwitchPool, CallServices>();
  readonly #buffers = new ReadBufferPool();
  readonly #flusher = new TurnFlusher();
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<DownstreamConnection | RefusedClient>();
  readonly #refusals: RefusalLog;
  readonly #limitReports: LimitReports;
  readonly #onLimit: OnLimit = (limit, peer) => this.#limitReports.hit(limit, peer);
  readonly #cancels: Cancel[] = [];
  readonly #gate: PolicyGate | undefined;
  readonly #traffic = new Traffic();
  #accepted = 0;
  #unauthenticated = 0;
  #refused = 0;

  constructor(options: SwitchOptions) {
    this.#options = options;
    const { policy, clock, log } = options;
    this.#refusals = new RefusalLog(clock, log);
    this.#limitReports = new LimitReports(clock, log);
    this.#gate = policy && new PolicyGate(policy, this.#refusals);
  }

  /** Listen on one more address for clients of the pools that `choose` gives; resolves with the real port. */
  listen(address: Address, choose: PoolChoice): Promise<Address> {
    return this.#addListener(choose).listen(address);
  }

  /** One more way in for clients of the pools that `choose` gives: those whose sockets others have accepted. */
  takeClients(choose: PoolChoice): TakeClient {
    const listener = this.#addListener(choose);
    return (socket, onClosed) => listener.accept(socket, onClosed);
  }

  #addListener(choose: PoolChoice): Listener {
    const { tlsMode, tls, clock, log, limits, onReadDoor } = this.#options;
    const services = this.#downstreamServices(choose);
    const listener = new Listener({
      tlsMode,
      tls,
      clock,
      log,
      buffers: this.#buffers,
      flusher: this.#flusher,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      mayAccept: (host) => this.#mayAccept(host),
      onLimit: this.#onLimit,
      onClient: (client) => this.#serve(client, services),
      traffic: this.#traffic,
      ...(onReadDoor && { onReadDoor }),
    });
    this.#listeners.push(listener);
    return listener;
  }

  #downstreamServices(choose: PoolChoice): DownstreamServices {
    const { clock, log, limits, callers } = this.#options;
    return {
      clock,
      log,
      limits,
      onLimit: this.#onLimit,
      mayChoiceChange: this.#gate !== undefined,
      identify: (client, claim) => callers.identify(client, claim),
      choose: ({ servername, host }, caller) => {
        const pool = choose(servername, caller);
        if (!(pool instanceof GatewayError)) return this.#servicesOf(pool);
        this.#refusals.refused(host, pool.message, describeCaller(caller));
        return pool;
      },
      onEnded: (client) => this.#connections.delete(client),
    };
  }

  #mayAccept(host: string): boolean {
    let open = 0;
    for (const { openSockets } of this.#listeners) open += openSockets;
    const isFull = open >= this.#options.maxConnections;
    if (isFull) {
      this.#refused++;
      this.#limitReports.hit("connections", { client: host });
    }
    return !isFull;
  }

  #serve(client: AcceptedClient, services: DownstreamServices): void {
    const connection = client.refusal
      ? this.#refusedClient(client, client.refusal)
      : new DownstreamConnection(client, services);
    this.#connections.add(connection);
    this.#accepted++;
    if (client.refusal) this.#unauthenticated++;
    connection.start(client.first);
  }

  #refusedClient({ transport, host }: AcceptedClient, refusal: GatewayError): RefusedClient {
    const { clock, log, limits } = this.#options;
    const refused: RefusedClient = new RefusedClient({
      transport,
      clock,
      log,
      limits: limits.client,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      refusal,
      host,
      onLimit: this.#onLimit,
      onEnded: () => this.#connections.delete(refused),
    });
    return refused;
  }

  #servicesOf(pool: SwitchPool): CallServices {
    const known = this.#services.get(pool);
    if (known) return known;
    const { claim = () => "", redialMs = 0, upstreamNoun = "replica" } = this.#options;
    const services: CallServices = {
      ...this.#options,
      ...pool,
      flusher: this.#flusher,
      dialReplica: (replicaId) => {
        const address = pool.replicaAddress(replicaId);
        return address && dial(address, pool.replicaTls, this.#buffers);
      },
      dialFacade: () => inProcess(pool.joinFacade),
      claim,
      redialMs,
      upstreamNoun,
      onLimit: this.#onLimit,
      gate: this.#gate,
    };
    this.#services.set(pool, services);
    if (pool.health) this.#cancels.push(pool.health.onUnwell((replicaId) => this.#suspect(pool, replicaId)));
    return services;
  }

  #suspect({ router }: SwitchPool, replicaId: string): void {
    for (const connection of this.#connections) {
      if (connection instanceof DownstreamConnection) connection.suspect(router, replicaId);
    }
  }

  /** What it has done and does. */
  census(): SwitchCensus {
    const { receivedBytes, sentBytes } = this.#traffic;
    let calls = 0;
    for (const connection of this.#connections) {
      if (connection instanceof DownstreamConnection) calls += connection.openCalls;
    }
    return {
      connections: this.#connections.size,
      calls,
      accepted: this.#accepted,
      unauthenticated: this.#unauthenticated,
      refused: this.#refused,
      limitHits: this.#limitReports.hits,
      receivedBytes,
      sentBytes,
    };
  }

  /** Accept no new connection. */
  stopAccepting(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  /** Whether a client that is in the middle of something, or was a moment ago, is connected to this replica. */
  isUsed(pool: SwitchPool, replicaId: string): boolean {
    for (const connection of this.#connections) {
      if (connection instanceof DownstreamConnection && connection.uses(pool.router, replicaId, REPLICA_IDLE_MS))
        return true;
    }
    return false;
  }

  /**
   * Go on for `delayMs`, then accept no new connection and send idle clients
   * away; resolves when all have gone, or `graceMs` later. A client in the
   * middle of a build is left alone: it may still need its connection after the
   * Solve has ended (moby/buildkit#4090).
   */
  async goAway(delayMs: number, graceMs: number): Promise<void> {
    // The clock's timers keep no process alive, and with the last client its last socket may go.
    const alive = setInterval(() => {}, DRAIN_CHECK_MS);
    await this.#elapsed(delayMs);
    this.stopAccepting();
    const endMs = this.#options.clock.nowMs() + graceMs;
    while (this.#connections.size > 0 && this.#options.clock.nowMs() < endMs) {
      for (const connection of this.#connections) {
        if (connection.idleMs >= DRAIN_IDLE_MS) connection.close("the gateway is going away");
      }
      await this.#elapsed(DRAIN_CHECK_MS);
    }
    clearInterval(alive);
  }

  #elapsed(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(durationMs, resolve);
    });
  }

  /** Close everything now. */
  stop(): void {
    this.stopAccepting();
    for (const cancel of this.#cancels) cancel();
    for (const connection of this.#connections) connection.close("the gateway has been stopped");
  }
}
