import type { PoolLoad } from "./admin/load-route.ts";
import type { Cancel, Clock } from "./base/clock.ts";
import { GatewayError } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import type { TlsMaterial } from "./base/tls-material.ts";
import { BuildLog } from "./build-log.ts";
import { Facade, type FacadeOptions } from "./control/facade.ts";
import { incompleteness } from "./control/missing-policy.ts";
import type { SwitchPool } from "./dataplane/switch-options.ts";
import { UNKNOWN_CALLER } from "./identity/caller.ts";
import type { ApiServer } from "./kubernetes/api-request.ts";
import { ContentOwners } from "./replicas/content-owners.ts";
import { DeletionCostKeeper } from "./replicas/deletion-cost-keeper.ts";
import { whyUntold } from "./replicas/describe-fleet.ts";
import type { Discovery } from "./replicas/discovery/discovery.ts";
import { Fleet } from "./replicas/fleet.ts";
import { LiveSteps, type StepCount } from "./replicas/live-steps.ts";
import type { HealthOptions, MonitorOptions } from "./replicas/monitor-options.ts";
import { acceptsBuilds, type Replica } from "./replicas/replica.ts";
import { ReplicaSearch } from "./replicas/replica-search.ts";
import { UnwellReplicas } from "./replicas/unwell-replicas.ts";
import { affinityKey, type KeySource } from "./routing/affinity-key.ts";
import { BuildGroups } from "./routing/build-groups.ts";
import type { BuildGroupsOptions, ProgressMode } from "./routing/build-groups-options.ts";
import type { Explanation } from "./routing/explanation.ts";
import type { Placer } from "./routing/placer.ts";
import { QueuedPlacer } from "./routing/queued-placer.ts";
import type { PlacerOptions } from "./routing/queued-placer-options.ts";
import type { WaitingState } from "./routing/waiting-news.ts";
import { WarmMemory } from "./routing/warm-memory.ts";

/** What a pool is made from. */
export interface PoolOptions
  extends Pick<BuildGroupsOptions, "policy" | "onBuildMoved" | "onBuildEnded" | "observeBuild"> {
  /** Unique in a gateway. */
  readonly name: string;
  readonly discovery: Discovery;
  readonly clock: Clock;
  /** Names the pool in each of its lines, where there are several. */
  readonly log: Logger;
  readonly health: HealthOptions;
  /** How to speak to the replicas. Absent: cleartext. */
  readonly replicaTls: TlsMaterial | undefined;
  /** What workers are said to build for while no replica has ever answered. Empty: this machine's. */
  readonly platforms: readonly string[];
  readonly keySources: readonly KeySource[];
  readonly memory: { readonly lifetimeMs: number; readonly maxKeys: number };
  readonly placement: PlacerOptions;
  readonly progress: ProgressMode;
  /** Where the cost of deleting the replicas' pods is kept. Absent: it is not. */
  readonly deletionCostServer?: ApiServer;
  /** A replica has been checked. */
  readonly onChecked?: MonitorOptions["onChecked"];
  /** How the whole fleet's answers are made. */
  readonly control: Pick<FacadeOptions, "timeoutMs" | "slowTimeoutMs" | "incomplete" | "version">;
  /** Replaces the placement; what it would have been is given to it. */
  readonly wrapPlacer?: (usual: Placer, fleet: Fleet) => Placer;
}

/**
 * After a build buildx asks for its record and its provenance. Measured over 243 builds (docs/architecture.md): the
 * next call came after 63 ms at most with one build at a time, after 393 ms with twelve on two busy cores. A preStop
 * hook waits for it, and is to return within 2 s of the last build's end.
 */
const SETTLED_MS = 1_000;

/** A fleet under a name of its own, with all that is known of its builds. Pools share nothing: a ref may be in two. */
export class Pool {
  readonly name: string;
  /** Builds that one replica may run at once; 0: any number. */
  readonly maxBuilds: number;
  readonly keySources: readonly KeySource[];
  readonly fleet: Fleet;
  readonly placer: QueuedPlacer;
  readonly #liveSteps: LiveSteps;
  /** What the data plane needs of it. */
  readonly side: SwitchPool & { readonly router: BuildGroups };
  readonly #facade: Facade;
  readonly #memory: WarmMemory;
  readonly #deletionCost: DeletionCostKeeper | undefined;
  #stopDeletionCost: Cancel = () => {};
  readonly #acceptanceListeners = new Set<() => void>();
  #isDraining = false;

  constructor(options: PoolOptions) {
    const { name, clock, log, keySources, wrapPlacer = (usual) => usual } = options;
    this.name = name;
    this.maxBuilds = options.placement.maxBuilds;
    this.keySources = keySources;
    const fleet = new Fleet({
      discovery: options.discovery,
      clock,
      log,
      health: options.health,
      platforms: options.platforms,
      ...(options.replicaTls && { tls: options.replicaTls }),
      ...(options.onChecked && { onChecked: options.onChecked }),
    });
    const memory = new WarmMemory({ clock, ...options.memory });
    const remember = (key: string, replicaId: string, ageMs: number): void =>
      memory.built(key, replicaId, fleet.replica(replicaId)?.identity ?? "", ageMs);
    const placer = new QueuedPlacer({
      fleet: {
        replicas: () => fleet.replicas(),
        describe: () => fleet.describe(),
        onChange: (listener) => {
          const cancels = [fleet.onChange(listener), fleet.onLoad(listener), fleet.onDiscovery(listener)];
          return () => {
            for (const cancel of cancels) cancel();
          };
        },
      },
      memory,
      clock,
      log,
      options: options.placement,
    });
    fleet.onBuildEnded((replicaId, { attrs, imageNames, isSuccess, ageMs }) => {
      const key =
        isSuccess && affinityKey({ attrs, imageNames, caller: UNKNOWN_CALLER, sharedKey: undefined }, keySources);
      if (key) remember(key, replicaId, ageMs);
    });
    const owners = new ContentOwners();
    fleet.onBuildEnded((replicaId, { digests }) => owners.learn(replicaId, digests));
    fleet.onChange((replica) => owners.observe(replica));
    fleet.onNews((replicaId, { event }) => {
      if (event.t === "deleted") owners.forget(replicaId);
    });
    const buildLog = new BuildLog(clock, log, fleet);
    const { incomplete, timeoutMs } = options.control;
    const search = new ReplicaSearch({ fleet, clock, owners, timeoutMs });
    const facade = new Facade({
      fleet,
      clock,
      log,
      search,
      owners,
      poolName: name,
      ...options.control,
      onPruned: (replicaId) => {
        memory.forgetReplica(replicaId);
        owners.forget(replicaId);
      },
      acceptance: {
        acceptsBuilds: () => !this.#isDraining && (this.hasRoom || (this.untold === undefined && !this.placer.isFull)),
        onChange: (listener) => this.#onAcceptance(listener),
      },
    });
    const groups = new BuildGroups({
      placer: wrapPlacer(placer, fleet),
      fleet: {
        buildStarted: (replicaId, buildRef) => fleet.buildStarted(replicaId, buildRef),
        reportFailure: (replicaId, reason) => fleet.reportFailure(replicaId, reason),
        locateBuild: async (buildRef) => {
          const outcome = await search.build(buildRef);
          if (outcome.t === "found") return outcome.replicaId;
          if (outcome.t === "unknown") return incompleteness("history", outcome.missing, incomplete);
          // As buildkitd says it (moby/buildkit solver/errdefs/jobs.go).
          return fleet.replicas().length > 0 ? new GatewayError("not_found", `no such job ${buildRef}`) : undefined;
        },
        contentOwners: (digest) => search.knownOwners(digest),
        locateContent: async (digest) => {
          const outcome = await search.content(digest);
          if (outcome.t === "found") return outcome.replicaId;
          return outcome.t === "absent" ? undefined : incompleteness("history", outcome.missing, incomplete);
        },
      },
      warmth: {
        built: (key, replicaId) => remember(key, replicaId, 0),
      },
      pong: () => fleet.representative().pongBytes,
      clock,
      log,
      keySources,
      progress: options.progress,
      ...(options.policy && { policy: options.policy }),
      ...(options.onBuildMoved && { onBuildMoved: options.onBuildMoved }),
      ...(options.observeBuild && { observeBuild: options.observeBuild }),
      onBuildEnded: (build) => {
        buildLog.ended(build);
        options.onBuildEnded?.(build);
      },
    });
    this.fleet = fleet;
    this.#liveSteps = new LiveSteps({ clock, client: (replicaId) => fleet.client(replicaId) });
    this.#memory = memory;
    this.placer = placer;
    this.#facade = facade;
    this.#deletionCost =
      options.deletionCostServer &&
      new DeletionCostKeeper({
        server: options.deletionCostServer,
        log,
        replicas: () => fleet.replicas(),
        warmKeys: (replicaId) => memory.warmKeys(replicaId),
      });
    this.side = {
      router: groups,
      log,
      replicaTls: options.replicaTls,
      joinFacade: (duplex) => facade.inject(duplex),
      replicaAddress: (replicaId) => fleet.replica(replicaId)?.address,
      cachedPong: () => fleet.representative().pongBytes,
      health: new UnwellReplicas(fleet),
      onReplicaGoingAway: (replicaId, reason) => fleet.reportDraining(replicaId, reason),
      onReplicaLost: (replicaId, reason) => fleet.reportLost(replicaId, reason),
    };
  }

  /** Begin to find and check replicas. */
  start(): void {
    this.fleet.start();
    this.#stopDeletionCost = this.#deletionCost?.start() ?? (() => {});
  }

  /** End checks, waiting builds and answers. Running builds are the data plane's. */
  async stop(): Promise<void> {
    this.#stopDeletionCost();
    this.placer.stop();
    this.#liveSteps.stop();
    this.fleet.stop();
    await this.#facade.stop();
  }

  /** The gateway is going away: health checks say so. Builds that come all the same are taken. */
  drain(): void {
    this.#isDraining = true;
    for (const listener of this.#acceptanceListeners) listener();
  }

  /** A replica would take a build now. */
  get hasRoom(): boolean {
    const { maxBuilds } = this;
    return this.#ready.some(({ runningBuilds }) => maxBuilds === 0 || runningBuilds < maxBuilds);
  }

  /** Why nothing is known of its replicas, in one line. `undefined`: something is, if only that there is none. */
  get untold(): string | undefined {
    return whyUntold(this.fleet);
  }

  /** Whether a replica's last build ended long enough ago that its client, of this gateway or another, asks no more. */
  isSettled(replicaId: string): boolean {
    return (this.fleet.idleMs(replicaId) ?? Number.POSITIVE_INFINITY) >= SETTLED_MS;
  }

  /** How much there is to do. */
  load(): PoolLoad {
    const running = this.fleet.replicas().reduce((sum, { runningBuilds }) => sum + runningBuilds, 0);
    const { queued } = this.placer.census();
    return { queued, running, readyReplicas: this.#ready.length, maxBuilds: this.maxBuilds };
  }

  /** Builds that wait, the next first, with what each waits for; at most `max`. */
  waiting(max: number): readonly WaitingState[] {
    return this.placer.news.list(max);
  }

  /** How far a build is that runs on this replica; asked for again and again, see {@link LiveSteps}. */
  stepsOf(buildRef: string, replicaId: string): StepCount | undefined {
    return this.#liveSteps.of(buildRef, replicaId);
  }

  /** The keys that were found warm on a replica last, at most `max`, and how many there are. */
  warmKeys(replicaId: string, max: number): { readonly keys: readonly string[]; readonly count: number } {
    return { keys: this.#memory.newestKeys(replicaId, max), count: this.#memory.warmKeys(replicaId) };
  }

  /** Where a build of this key would go now, and why. */
  explain(key: string | undefined): Explanation {
    return this.placer.explain(key);
  }

  get #ready(): readonly Replica[] {
    return this.fleet.replicas().filter(acceptsBuilds);
  }

  #onAcceptance(listener: () => void): Cancel {
    this.#acceptanceListeners.add(listener);
    const { fleet, placer } = this;
    const cancels = [
      fleet.onChange(listener),
      fleet.onLoad(listener),
      fleet.onDiscovery(listener),
      placer.onFullness(listener),
    ];
    return () => {
      this.#acceptanceListeners.delete(listener);
      for (const cancel of cancels) cancel();
    };
  }
}
