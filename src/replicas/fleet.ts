import type { Cancel } from "../base/clock.ts";
import { Listeners } from "../base/listeners.ts";
import { ReplicaClient } from "../buildkit/replica-client.ts";
import { defaultFacts } from "./default-facts.ts";
import { describeFleet } from "./describe-fleet.ts";
import type { DiscoveryStatus } from "./discovery/discovery.ts";
import type { ReplicaFacts } from "./facts.ts";
import type { FleetOptions } from "./fleet-options.ts";
import type { EndedBuild, HistoryNews } from "./history-follower.ts";
import type { CheckSchedule } from "./monitor-options.ts";
import { PoolArchitecture } from "./pool-architecture.ts";
import { acceptsBuilds, type Endpoint, type Replica } from "./replica.ts";
import { ReplicaMonitor } from "./replica-monitor.ts";

const DEFAULT_HEALTH: CheckSchedule = { intervalMs: 5_000, timeoutMs: 2_000, failuresToEject: 2 };

/** Gone replicas that are followed on; of those that went before, only builds of ours count. */
const MAX_GONE = 1_000;

/** All replicas: which there are, which take builds, and what they said. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #monitors = new Map<string, ReplicaMonitor>();
  readonly #architecture: PoolArchitecture;
  readonly #onChange = new Listeners<[replica: Replica]>();
  readonly #onLoad = new Listeners<[]>();
  readonly #onDiscovery = new Listeners<[]>();
  readonly #onBuildEnded = new Listeners<[replicaId: string, build: EndedBuild]>();
  readonly #onNews = new Listeners<[replicaId: string, news: HistoryNews]>();
  #cancelDiscovery: Cancel | undefined;
  #lastFacts: ReplicaFacts;
  /** A replica has answered; before, the last facts are made up. */
  #hasAnswered = false;
  /** All monitors by id, until one comes or goes. */
  #order: readonly ReplicaMonitor[] | undefined;
  /** All replicas by id, until anything changes. */
  #replicas: readonly Replica[] | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#architecture = new PoolArchitecture(options.platforms);
    this.#lastFacts = defaultFacts(options.platforms);
  }

  /** Begin to find and check replicas. Once only; `stop` ends it. */
  start(): void {
    this.#cancelDiscovery = this.#options.discovery.start(
      (endpoints) => this.#discovered(endpoints),
      () => this.#onDiscovery.tell(),
    );
  }

  /** End all checks and close their connections. All replicas are gone then; builds are not touched. */
  stop(): void {
    this.#cancelDiscovery?.();
    const all = [this.#onChange, this.#onLoad, this.#onDiscovery, this.#onBuildEnded, this.#onNews];
    for (const listeners of all) listeners.clear();
    for (const monitor of this.#monitors.values()) monitor.stop();
  }

  /** All replicas by id; gone ones as long as builds run there, or may. The same array until anything changes. */
  replicas(): readonly Replica[] {
    this.#replicas ??= this.#sorted().map(({ replica }) => replica);
    return this.#replicas;
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

  /** Resolves once a replica has answered, or none is being asked for the first time any more. */
  async firstContact(): Promise<void> {
    while (!this.#hasAnswered && this.replicas().some(({ state }) => state.t === "connecting")) {
      await new Promise<void>((resolve) => {
        const cancel = this.onChange(() => {
          cancel();
          resolve();
        });
      });
    }
  }

  /** Hear of every change of a replica's state or identity, and when a gone one is followed no more, with the replica as it is then. */
  onChange(listener: (replica: Replica) => void): Cancel {
    return this.#onChange.add(listener);
  }

  /** Hear of every change of any replica's load, one by one. */
  onLoad(listener: () => void): Cancel {
    return this.#onLoad.add(listener);
  }

  /** Hear when discovery's state or reason has changed. */
  onDiscovery(listener: () => void): Cancel {
    return this.#onDiscovery.add(listener);
  }

  /**
   * Hear of every build that has ended on a replica, whoever started it; also
   * of those that its history has when it is first read. Of some more than once.
   */
  onBuildEnded(listener: (replicaId: string, build: EndedBuild) => void): Cancel {
    return this.#onBuildEnded.add(listener);
  }

  /** Hear once of every build that starts, ends, changes its record or loses it, on any replica, from now on. */
  onNews(listener: (replicaId: string, news: HistoryNews) => void): Cancel {
    return this.#onNews.add(listener);
  }

  /** The data plane could not connect to a replica: it is ejected until a check succeeds. */
  reportFailure(id: string, reason: string): void {
    this.#monitors.get(id)?.reportFailure(reason);
  }

  /** The data plane lost a connection to a replica: it is checked at once, and ejected if that fails. */
  reportLost(id: string, reason: string): void {
    this.#monitors.get(id)?.reportLost(reason);
  }

  /** A replica sent GOAWAY: it gets no new build until a check on a new connection succeeds. */
  reportDraining(id: string, reason: string): void {
    this.#monitors.get(id)?.reportDraining(reason);
  }

  /** Place no new build on a replica until `undrain`, or until it is gone. False: there is no such replica. */
  drain(id: string): boolean {
    return this.#monitors.get(id)?.drain() ?? false;
  }

  /** Take a drained replica back, once it has been checked. False: there is no such replica. */
  undrain(id: string): boolean {
    return this.#monitors.get(id)?.undrain() ?? false;
  }

  /** Time since the last build on a replica ended: 0 while one runs, Infinity if none was seen; `undefined`: no such replica. */
  idleMs(id: string): number | undefined {
    return this.#monitors.get(id)?.idleMs;
  }

  /** Count a build as running on a replica until the returned function is called. A ref that is placed twice is one build. */
  buildStarted(id: string, buildRef: string): Cancel {
    const monitor = this.#monitors.get(id);
    if (!monitor) return () => {};
    const ended = monitor.buildStarted(buildRef);
    return () => {
      ended();
      if (monitor.isOver) this.#forget(monitor);
    };
  }

  /** Replicas and why they are out, for people, or why none is known. */
  describe(): string {
    return describeFleet(this.replicas(), () => this.discovery());
  }

  /** How well it is known which replicas there are. */
  discovery(): readonly DiscoveryStatus[] {
    return this.#options.discovery.status();
  }

  /** Why it cannot be told which architecture this fleet builds for, with the fix. Absent: it can. */
  get architectureConflict(): string | undefined {
    return this.#architecture.conflict;
  }

  /** What a replica told us. */
  facts(id: string): ReplicaFacts | undefined {
    return this.#monitors.get(id)?.facts;
  }

  /**
   * What the fleet as a whole says: the facts of its first ready replica by id,
   * else the last known ones, else what every BuildKit can do.
   */
  representative(): ReplicaFacts {
    const facts = this.#firstReady()?.facts;
    if (facts) {
      this.#lastFacts = facts;
      this.#hasAnswered = true;
    }
    return this.#lastFacts;
  }

  /**
   * The gateway's own client of a replica, for questions with small answers:
   * one that is read slowly would hold up the others. Absent while it is out.
   */
  client(id: string): ReplicaClient | undefined {
    return this.#monitors.get(id)?.client;
  }

  /** A new connection to a replica, for one question. Whoever asked for it closes it. */
  dial(id: string): ReplicaClient | undefined {
    const address = this.replica(id)?.address;
    const { tls } = this.#options;
    return address && new ReplicaClient({ address, ...(tls && { tls }) });
  }

  /**
   * Replicas whose history has a build, running or completed, as far as it is known. One that is gone and cannot be
   * reached has nothing any more.
   */
  holdersOf(buildRef: string): string[] {
    const isLost = ({ replica, client }: ReplicaMonitor) => replica.state.t === "gone" && client === undefined;
    const holders = this.#sorted().filter((monitor) => monitor.knowsBuild(buildRef) && !isLost(monitor));
    return holders.map(({ replica }) => replica.id);
  }

  #discovered(endpoints: readonly Endpoint[]): void {
    const reported = new Set(endpoints.map(({ id }) => id));
    for (const endpoint of endpoints) {
      const monitor = this.#monitors.get(endpoint.id);
      if (monitor) monitor.update(endpoint);
      else this.#add(endpoint);
    }
    for (const [id, monitor] of this.#monitors) {
      if (reported.has(id)) continue;
      monitor.remove();
      this.#architecture.forget(id);
    }
    for (const monitor of this.#gone().slice(0, -MAX_GONE)) monitor.stop();
  }

  /** Those that went first come first. */
  #gone(): readonly ReplicaMonitor[] {
    const gone = [...this.#monitors.values()].filter(({ replica }) => replica.state.t === "gone");
    return gone.sort((one, other) => one.replica.state.sinceMs - other.replica.state.sinceMs);
  }

  #add(endpoint: Endpoint): void {
    const { clock, log, tls, random = Math.random, health, onChecked } = this.#options;
    const monitor = new ReplicaMonitor({
      endpoint,
      clock,
      log: log.child({ replica: endpoint.id }),
      ...(tls && { tls }),
      ...(onChecked && { onChecked }),
      health: { ...DEFAULT_HEALTH, ...health },
      random,
      refusal: ({ platforms }) =>
        monitor.replica.state.t === "gone" ? undefined : this.#architecture.judge(endpoint.id, platforms),
      onChange: (replica) => this.#changed(replica),
      onLoad: () => this.#loadChanged(monitor),
      onBuildEnded: (build) => this.#onBuildEnded.tell(endpoint.id, build),
      onNews: (news) => this.#onNews.tell(endpoint.id, news),
      onOver: () => this.#forget(monitor),
    });
    this.#monitors.set(endpoint.id, monitor);
    this.#order = undefined;
    this.#replicas = undefined;
  }

  #forget(monitor: ReplicaMonitor): void {
    const { id } = monitor.replica;
    if (this.#monitors.get(id) !== monitor) return;
    this.#monitors.delete(id);
    this.#order = undefined;
    this.#replicas = undefined;
    this.#onLoad.tell();
  }

  #changed(replica: Replica): void {
    this.#replicas = undefined;
    this.representative();
    this.#onChange.tell(replica);
  }

  /** The list is copied with one replica changed: to make it anew costs more than a decision with 1,000 of them. */
  #loadChanged(monitor: ReplicaMonitor): void {
    const { replica } = monitor;
    const index = this.#replicas?.findIndex(({ id }) => id === replica.id) ?? -1;
    this.#replicas = index < 0 ? undefined : this.#replicas!.with(index, replica);
    this.#onLoad.tell();
  }

  #firstReady(): ReplicaMonitor | undefined {
    return this.#sorted().find(({ replica }) => acceptsBuilds(replica));
  }

  #sorted(): readonly ReplicaMonitor[] {
    this.#order ??= [...this.#monitors.keys()].sort().map((id) => this.#monitors.get(id)!);
    return this.#order;
  }
}
