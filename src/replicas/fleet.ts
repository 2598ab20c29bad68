import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { Discovery } from "./discovery/discovery.ts";
import type { ReplicaFacts } from "./facts.ts";
import { acceptsBuilds, describeReplica, type Endpoint, type Replica } from "./replica.ts";
import { type HealthOptions, ReplicaMonitor } from "./replica-monitor.ts";

/** What a fleet is made from. */
export interface FleetOptions {
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Logger;
  readonly health?: HealthOptions;
  /** How to speak to the replicas. Absent: cleartext. */
  readonly tls?: TlsMaterial;
  /** A number in [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number;
}

const DEFAULT_HEALTH: Required<HealthOptions> = { intervalMs: 5_000, timeoutMs: 2_000, failuresToEject: 2 };

/** All replicas: which there are, which take builds, and what they said. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #monitors = new Map<string, ReplicaMonitor>();
  readonly #listeners = new Set<(replica: Replica) => void>();
  #cancelDiscovery: Cancel | undefined;
  #lastFacts: ReplicaFacts | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Begin to find and check replicas. Once only; `stop` ends it. */
  start(): void {
    this.#cancelDiscovery = this.#options.discovery.start((endpoints) => this.#discovered(endpoints));
  }

  /** End all checks and close their connections. All replicas are gone then; builds are not touched. */
  stop(): void {
    this.#cancelDiscovery?.();
    this.#listeners.clear();
    for (const monitor of this.#monitors.values()) monitor.remove();
  }

  /** All replicas by id; gone ones as long as builds of ours run there. */
  replicas(): readonly Replica[] {
    return this.#sorted().map(({ replica }) => replica);
  }

  replica(id: string): Replica | undefined {
    return this.#monitors.get(id)?.replica;
  }

  /** Resolves once a replica takes builds; never, if the fleet is stopped first. */
  ready(): Promise<void> {
    if (this.#firstReady()) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.onChange((replica) => {
        if (!acceptsBuilds(replica)) return;
        cancel();
        resolve();
      });
    });
  }

  /** Hear of every change of a replica's state, with the replica as it is then. */
  onChange(listener: (replica: Replica) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The data plane could not connect to a replica, or lost its connection: it is ejected until a check succeeds. */
  reportFailure(id: string, reason: string): void {
    this.#monitors.get(id)?.reportFailure(reason);
  }

  /** A replica sent GOAWAY: it gets no new build until a check on a new connection succeeds. */
  reportDraining(id: string, reason: string): void {
    this.#monitors.get(id)?.reportDraining(reason);
  }

  /** Count a build as running on a replica until the returned function is called. */
  buildStarted(id: string): Cancel {
    const monitor = this.#monitors.get(id);
    monitor?.buildStarted();
    let isOpen = monitor !== undefined;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      monitor!.buildEnded();
      if (isForgotten(monitor!.replica) && this.#monitors.get(id) === monitor) this.#monitors.delete(id);
    };
  }

  /** Every replica and why it is out, for people: `a: ready, b: ejected (connect ECONNREFUSED 10.0.0.7:1234)`. */
  describe(): string {
    const replicas = this.#sorted().filter(({ replica }) => replica.state.t !== "gone");
    if (replicas.length === 0) return "no replica is known";
    return replicas.map(({ replica }) => describeReplica(replica)).join(", ");
  }

  /** What a replica told us. */
  facts(id: string): ReplicaFacts | undefined {
    return this.#monitors.get(id)?.facts;
  }

  /** What the fleet as a whole says: the facts of its first ready replica by id, else the last known ones. */
  representative(): ReplicaFacts | undefined {
    const facts = this.#firstReady()?.facts;
    if (facts) this.#lastFacts = facts;
    return this.#lastFacts;
  }

  /**
   * Pass a `ListWorkersRequest` on to a ready replica and return the answer's
   * bytes. Rejects with the replica's ServiceError, or with GatewayError
   * `no_replica`.
   */
  forwardListWorkers(request: Buffer, timeoutMs: number): Promise<Buffer> {
    const client = this.#sorted().find((monitor) => monitor.client && acceptsBuilds(monitor.replica))?.client;
    if (!client) return Promise.reject(new GatewayError("no_replica", `no replica can be asked: ${this.describe()}`));
    return client.forwardListWorkers(request, timeoutMs);
  }

  /** Find the replica that runs a build or has it in its history, asking all that may know. */
  async locateBuild(buildRef: string, timeoutMs: number): Promise<string | undefined> {
    const ending = new AbortController();
    const asked = this.#sorted().flatMap(({ replica: { id, state }, client }) =>
      client && (state.t === "ready" || state.t === "draining")
        ? [{ id, answer: client.knowsBuild(buildRef, { timeoutMs, signal: ending.signal }) }]
        : [],
    );
    try {
      return await Promise.any(
        asked.map(async ({ id, answer }) => {
          if (await answer) return id;
          throw new Error("not here");
        }),
      );
    } catch {
      return undefined;
    } finally {
      ending.abort();
    }
  }

  #discovered(endpoints: readonly Endpoint[]): void {
    const reported = new Set(endpoints.map(({ id }) => id));
    for (const endpoint of endpoints) {
      const monitor = this.#monitors.get(endpoint.id);
      if (monitor) monitor.update(endpoint);
      else this.#monitors.set(endpoint.id, this.#monitor(endpoint));
    }
    for (const [id, monitor] of this.#monitors) {
      if (reported.has(id)) continue;
      monitor.remove();
      if (isForgotten(monitor.replica)) this.#monitors.delete(id);
    }
  }

  #monitor(endpoint: Endpoint): ReplicaMonitor {
    const { clock, log, tls, random = Math.random, health } = this.#options;
    return new ReplicaMonitor({
      endpoint,
      clock,
      log: log.child({ replica: endpoint.id }),
      ...(tls && { tls }),
      health: { ...DEFAULT_HEALTH, ...health },
      random,
      onChange: (replica) => this.#changed(replica),
    });
  }

  #changed(replica: Replica): void {
    this.representative();
    for (const listener of [...this.#listeners]) listener(replica);
  }

  #firstReady(): ReplicaMonitor | undefined {
    return this.#sorted().find(({ replica }) => acceptsBuilds(replica));
  }

  #sorted(): ReplicaMonitor[] {
    return [...this.#monitors.keys()].sort().map((id) => this.#monitors.get(id)!);
  }
}

/** A gone replica without builds: nothing is left to remember. */
function isForgotten(replica: Replica): boolean {
  return replica.state.t === "gone" && replica.runningBuilds === 0;
}
