import type { Duplex } from "node:stream";
import { duplexPair } from "node:stream";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { BuildGroups } from "../routing/build-groups.ts";
import { type Dialed, dial } from "./dialer.ts";
import { DownstreamConnection, type DownstreamLimits, type DownstreamServices } from "./downstream-connection.ts";
import { type AcceptedClient, Listener, type TlsMode } from "./listener.ts";
import type { OnReadDoor } from "./onread-door.ts";
import { ReadBufferPool } from "./read-buffers.ts";
import { RefusedClient } from "./refused-client.ts";
import { TurnFlusher } from "./turn-flusher.ts";

/** A client that has had no call open for this long may be sent away while the gateway drains. */
const DRAIN_IDLE_MS = 2_000;

/** A client that has had no call open on a replica for this long needs it no more. */
const REPLICA_IDLE_MS = 1_000;

/** How often a draining gateway looks for idle clients. */
const DRAIN_CHECK_MS = 250;

/** Where the calls of a client may go: one fleet, and the façade that speaks for it. */
export interface SwitchPool {
  readonly groups: BuildGroups;
  readonly log: Logger;
  /** TLS to the replicas; absent: cleartext. */
  readonly replicaTls: TlsMaterial | undefined;
  /** Serve one more in-process connection. */
  readonly joinFacade: (duplex: Duplex) => void;
  readonly replicaAddress: (replicaId: string) => Address | undefined;
  readonly cachedPong: () => Buffer | undefined;
  readonly onReplicaGoingAway: (replicaId: string, reason: string) => void;
  readonly onReplicaLost: (replicaId: string, reason: string) => void;
}

/** Chooses a client's pool by the name that its TLS hello asked for; an error is what the client is told. */
export type PoolChoice = (servername: string | undefined) => SwitchPool | GatewayError;

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
}

/** The data plane as a whole: listeners, and the connections of clients. */
export class Switch {
  readonly #options: SwitchOptions;
  readonly #services = new Map<SwitchPool, DownstreamServices>();
  readonly #buffers = new ReadBufferPool();
  readonly #flusher = new TurnFlusher();
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<DownstreamConnection | RefusedClient>();
  #isFullReported = false;

  constructor(options: SwitchOptions) {
    this.#options = options;
  }

  /** Listen on one more address for clients of the pools that `choose` gives; resolves with the real port. */
  listen(address: Address, choose: PoolChoice): Promise<Address> {
    const { tlsMode, tls, clock, log, limits, onReadDoor } = this.#options;
    const listener = new Listener({
      tlsMode,
      tls,
      clock,
      log,
      buffers: this.#buffers,
      flusher: this.#flusher,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      mayAccept: () => this.#mayAccept(),
      onClient: (client) => this.#serve(client, choose),
      ...(onReadDoor && { onReadDoor }),
    });
    this.#listeners.push(listener);
    return listener.listen(address);
  }

  #mayAccept(): boolean {
    const isFull = this.#connections.size >= this.#options.maxConnections;
    if (isFull && !this.#isFullReported) {
      this.#options.log.warn({ connections: this.#connections.size }, "connections refused (limits.connections)");
    }
    this.#isFullReported = isFull;
    return !isFull;
  }

  #serve({ transport, peer, first, servername, ...client }: AcceptedClient, choose: PoolChoice): void {
    const { clock, log, limits } = this.#options;
    const pool = client.refusal ?? choose(servername);
    const onEnded = (): void => {
      this.#connections.delete(connection);
    };
    const connection: DownstreamConnection | RefusedClient =
      pool instanceof GatewayError
        ? new RefusedClient({
            transport,
            clock,
            log,
            limits: limits.client,
            handshakeTimeoutMs: limits.handshakeTimeoutMs,
            refusal: pool,
            onEnded,
          })
        : new DownstreamConnection(transport, this.#servicesOf(pool), peer, onEnded);
    this.#connections.add(connection);
    connection.start(first);
  }

  #servicesOf(pool: SwitchPool): DownstreamServices {
    const known = this.#services.get(pool);
    if (known) return known;
    const services: DownstreamServices = {
      ...this.#options,
      ...pool,
      flusher: this.#flusher,
      dialReplica: (replicaId) => {
        const address = pool.replicaAddress(replicaId);
        return address && dial(address, pool.replicaTls, this.#buffers);
      },
      dialFacade: () => inProcess(pool.joinFacade),
    };
    this.#services.set(pool, services);
    return services;
  }

  /** Accept no new connection. */
  stopAccepting(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  /** Whether a client that is in the middle of something, or was a moment ago, is connected to this replica. */
  isUsed(pool: SwitchPool, replicaId: string): boolean {
    for (const connection of this.#connections) {
      if (connection instanceof DownstreamConnection && connection.uses(pool.groups, replicaId, REPLICA_IDLE_MS))
        return true;
    }
    return false;
  }

  /**
   * Accept no new connection, send idle clients away, and resolve when all
   * have gone. A client in the middle of a build is left alone: it may still
   * need its connection after the Solve has ended (moby/buildkit#4090).
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.stopAccepting();
    // The clock's timers keep no process alive, and with the last client its last socket may go.
    const alive = setInterval(() => {}, DRAIN_CHECK_MS);
    while (this.#connections.size > 0 && !signal.aborted) {
      for (const connection of this.#connections) {
        if (connection.idleMs >= DRAIN_IDLE_MS) connection.close("the gateway is going away");
      }
      await new Promise<void>((resolve) => {
        this.#options.clock.after(DRAIN_CHECK_MS, resolve);
      });
    }
    clearInterval(alive);
  }

  /** Close everything now. */
  stop(): void {
    this.stopAccepting();
    for (const connection of this.#connections) connection.close("the gateway has been stopped");
  }
}

/** A pair of streams, one end of which the façade serves. */
function inProcess(joinFacade: (duplex: Duplex) => void): Dialed {
  const [ours, theirs] = duplexPair();
  // Unlike a socket's, the end of one side is no event for the other (Node 20).
  ours.once("close", () => theirs.destroy());
  theirs.once("close", () => ours.destroy());
  joinFacade(theirs);
  return { stream: ours, reader: undefined, openEvent: undefined, keepsWritten: true };
}
