import type { Duplex } from "node:stream";
import { duplexPair } from "node:stream";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
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

/** How often a draining gateway looks for idle clients. */
const DRAIN_CHECK_MS = 250;

/** What the switch is made of. */
export interface SwitchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly groups: BuildGroups;
  readonly limits: DownstreamLimits;
  /** Clients that may be connected at once. */
  readonly maxConnections: number;
  readonly tlsMode: TlsMode;
  readonly tls: TlsMaterial | undefined;
  /** TLS to the replicas; absent: cleartext. */
  readonly replicaTls: TlsMaterial | undefined;
  /** How accepted sockets are read. Default: as fast as the runtime allows. */
  readonly onReadDoor?: OnReadDoor;
  readonly facadePaths: ReadonlySet<string>;
  /** Serve one more in-process connection. */
  readonly joinFacade: (duplex: Duplex) => void;
  readonly replicaAddress: (replicaId: string) => Address | undefined;
  readonly cachedPong: () => Buffer | undefined;
  readonly onReplicaGoingAway: (replicaId: string, reason: string) => void;
  readonly onReplicaLost: (replicaId: string, reason: string) => void;
}

/** The data plane as a whole: listeners, and the connections of clients. */
export class Switch {
  readonly #options: SwitchOptions;
  readonly #services: DownstreamServices;
  readonly #buffers = new ReadBufferPool();
  readonly #flusher = new TurnFlusher();
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<DownstreamConnection | RefusedClient>();
  #isFullReported = false;

  constructor(options: SwitchOptions) {
    this.#options = options;
    const { replicaTls, replicaAddress, joinFacade } = options;
    this.#services = {
      ...options,
      flusher: this.#flusher,
      dialReplica: (replicaId) => {
        const address = replicaAddress(replicaId);
        return address && dial(address, replicaTls, this.#buffers);
      },
      dialFacade: () => inProcess(joinFacade),
    };
  }

  /** Listen on one more address; resolves with the real port. */
  listen(address: Address): Promise<Address> {
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
      onClient: (client) => this.#serve(client),
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

  #serve({ transport, peer, first, refusal }: AcceptedClient): void {
    const { clock, log, limits } = this.#options;
    const { client, handshakeTimeoutMs } = limits;
    const onEnded = (): void => {
      this.#connections.delete(connection);
    };
    const connection: DownstreamConnection | RefusedClient = refusal
      ? new RefusedClient({ transport, clock, log, limits: client, handshakeTimeoutMs, refusal, onEnded })
      : new DownstreamConnection(transport, this.#services, peer, onEnded);
    this.#connections.add(connection);
    connection.start(first);
  }

  /** Accept no new connection. */
  stopAccepting(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
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
