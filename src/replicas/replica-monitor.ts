import { formatAddress } from "../base/address.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { ReplicaFacts } from "./facts.ts";
import { type EndedBuild, HistoryFollower } from "./history-follower.ts";
import { readmitDelayMs } from "./readmit-backoff.ts";
import type { Endpoint, Replica, ReplicaState } from "./replica.ts";
import { ReplicaLoad } from "./replica-load.ts";
import { ReplicaProbe } from "./replica-probe.ts";

/** When a replica is checked, and when it is out. */
export interface HealthOptions {
  /** Time between two checks of a ready replica. Default 5,000. */
  readonly intervalMs?: number;
  /** Time that a replica has to answer a check. Default 2,000. */
  readonly timeoutMs?: number;
  /** Failed checks in a row that put a ready replica out. At least 1. Default 2. */
  readonly failuresToEject?: number;
}

/** What a monitor works with. */
export interface MonitorOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** Names the replica in each of its lines. */
  readonly log: Logger;
  readonly tls?: TlsMaterial;
  readonly health: Required<HealthOptions>;
  /** A number in [0, 1), for the jitter of the backoff. */
  readonly random: () => number;
  /** Called after every change of state or identity. */
  readonly onChange: (replica: Replica) => void;
  /** Called after every change of its load. */
  readonly onLoad: () => void;
  /** Hears of every build that has ended there, of some more than once. */
  readonly onBuildEnded: (build: EndedBuild) => void;
}

/** Wait before the next check of a replica whose last one failed. */
const READMIT = { minMs: 500, maxMs: 10_000 };

const TERMINATING = "discovery says that it is terminating";

const DRAINED = "drained by an operator";

/**
 * Follows one replica through its life: checks its health, asks its facts, and
 * hears from the data plane and from discovery.
 */
export class ReplicaMonitor {
  readonly #options: MonitorOptions;
  #endpoint: Endpoint;
  #state: ReplicaState;
  readonly #probe: ReplicaProbe;
  /** Failed checks since the last good one. */
  #failures = 0;
  /** A check after a loss is under way: what else is lost needs no other. */
  #isRechecking = false;
  /** Number of the current check: what an earlier one finds out is void. */
  #round = 0;
  #cancelTimer: Cancel = () => {};
  readonly #load: ReplicaLoad;
  readonly #history: HistoryFollower;
  #isDrained = false;
  /** The replica as it was said to be last, until something changes. */
  #snapshot: Replica | undefined;

  /** Starts to check at once; `remove` stops. */
  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint;
    const { clock, log, tls, health, random, onBuildEnded } = options;
    this.#probe = new ReplicaProbe({
      clock,
      log,
      tls,
      timeoutMs: health.timeoutMs,
      onConnectionLost: () => this.#connectionLost(),
      onIdentity: () => this.#identified(),
    });
    this.#load = new ReplicaLoad(clock, () => this.#loadChanged());
    this.#history = new HistoryFollower({ clock, log, random, load: this.#load, onBuildEnded });
    this.#state = { t: "connecting", sinceMs: clock.nowMs() };
    void this.#check();
  }

  /** The replica as it is now; the same object until something changes. */
  get replica(): Replica {
    const { id, address } = this.#endpoint;
    this.#snapshot ??= {
      id,
      address,
      state: this.#state,
      identity: this.facts?.workerId ?? "",
      runningBuilds: this.#load.running,
      unconfirmedBuilds: this.#load.unconfirmed,
    };
    return this.#snapshot;
  }

  /** What it told us, last time it did. */
  get facts(): ReplicaFacts | undefined {
    return this.#probe.facts;
  }

  /** The client of its health checks. Absent while it is out. */
  get client(): ReplicaClient | undefined {
    return this.#probe.client;
  }

  /** Time since its last build ended: 0 while one runs, Infinity if none was seen. */
  get idleMs(): number {
    return this.#load.idleMs;
  }

  /** We have placed a build here; call the result when it has ended. */
  buildStarted(buildRef: string): Cancel {
    return this.#load.buildStarted(buildRef);
  }

  /** An operator wants no new build here, until `undrain` or until it is gone. False: it is gone already. */
  drain(): boolean {
    if (this.#state.t === "gone") return false;
    this.#isDrained = true;
    if (this.#state.t === "ready" || this.#state.t === "draining") this.#admit();
    return true;
  }

  /** The operator has no objection any more: it takes builds after one good check, where nothing else speaks against it. */
  undrain(): boolean {
    if (this.#state.t === "gone") return false;
    const wasDrained = this.#isDrained;
    this.#isDrained = false;
    if (wasDrained && this.#state.t === "draining" && !this.#endpoint.isTerminating) this.#checkNow();
    return true;
  }

  /** Discovery reports the endpoint, again or with a change. */
  update(endpoint: Endpoint): void {
    const was = this.#endpoint;
    this.#endpoint = endpoint;
    if (this.#state.t === "gone" || formatAddress(was.address) !== formatAddress(endpoint.address)) {
      this.#disconnect();
      this.#probe.forgetFacts();
      this.#load.forgetHistory();
      this.#failures = 0;
      this.#transition({ t: "connecting", sinceMs: this.#nowMs() });
      void this.#check();
    } else if (endpoint.isTerminating && (this.#state.t === "ready" || this.#state.t === "draining")) {
      this.#admit();
    } else if (was.isTerminating && !endpoint.isTerminating) {
      this.#checkNow();
    }
  }

  /** Discovery no longer reports the endpoint. */
  remove(): void {
    this.#disconnect();
    this.#load.forgetHistory();
    this.#isDrained = false;
    if (this.#state.t !== "gone") this.#transition({ t: "gone", sinceMs: this.#nowMs() });
  }

  /** The data plane could not connect. */
  reportFailure(reason: string): void {
    if (this.#state.t === "gone" || this.#state.t === "ejected") return;
    this.#recheck();
    this.#transition({ t: "ejected", sinceMs: this.#nowMs(), reason });
  }

  /**
   * The data plane lost a connection, which may be that one's fault alone: it
   * stays what it is while it is checked on a new connection, and the first
   * check that fails puts it out.
   */
  reportLost(reason: string): void {
    const { t } = this.#state;
    if ((t !== "ready" && t !== "draining") || this.#isRechecking) return;
    this.#options.log.info({ reason }, "connection to replica lost");
    this.#recheckAfterLoss();
  }

  /** The replica announced that it will close its connections (GOAWAY). */
  reportDraining(reason: string): void {
    if (this.#state.t !== "ready") return;
    this.#recheck();
    this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason });
  }

  #checkNow(): void {
    this.#disconnect();
    void this.#check();
  }

  /** Check on a new connection, at once, with no second chance. */
  #recheckAfterLoss(): void {
    this.#failures = Math.max(this.#failures, this.#options.health.failuresToEject - 1);
    this.#checkNow();
    this.#isRechecking = true;
  }

  /**
   * Check on a new connection, at once: where a single connection was lost,
   * the replica must not stay out, since it may be the only one.
   */
  #recheck(): void {
    this.#disconnect();
    this.#checkAfter(0);
  }

  /** One check, and the facts where they are due. */
  async #check(): Promise<void> {
    const round = ++this.#round;
    try {
      // A ready replica's earlier facts will do; a new one is not ready before it has said them.
      await this.#probe.check(this.#endpoint.address, this.#state.t === "ready");
    } catch (error) {
      if (round === this.#round) this.#failed(error as Error);
      return;
    }
    if (round !== this.#round) return;
    this.#failures = 0;
    this.#isRechecking = false;
    this.#checkAfter(this.#options.health.intervalMs);
    this.#admit();
    if (this.client) this.#history.follow(this.client);
  }

  /** It is well: it takes builds, unless somebody wants it to drain. */
  #admit(): void {
    const state = this.#state;
    const reason = this.#endpoint.isTerminating ? TERMINATING : this.#isDrained ? DRAINED : undefined;
    if (reason === undefined) {
      if (state.t !== "ready") this.#transition({ t: "ready", sinceMs: this.#nowMs() });
    } else if (state.t !== "draining" || state.reason !== reason) {
      this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason });
    }
  }

  #failed(error: Error): void {
    const { health, log, random } = this.#options;
    const reason = failureText(error, health.timeoutMs);
    this.#failures++;
    this.#disconnect();
    this.#checkAfter(readmitDelayMs(this.#failures, READMIT, random()));
    const state = this.#state;
    if (state.t === "ready" && this.#failures < health.failuresToEject) log.debug({ reason }, "health check failed");
    else if (state.t !== "ejected") this.#transition({ t: "ejected", sinceMs: this.#nowMs(), reason });
    else if (state.reason !== reason) this.#transition({ ...state, reason });
  }

  /** The connection of the checks was lost: look at once what is there now, which may be another daemon. */
  #connectionLost(): void {
    const { t } = this.#state;
    if ((t === "ready" || t === "draining") && !this.#isRechecking) this.#recheckAfterLoss();
  }

  #identified(): void {
    this.#snapshot = undefined;
    this.#options.onChange(this.replica);
  }

  /** End the current check and its connection. */
  #disconnect(): void {
    this.#round++;
    this.#isRechecking = false;
    this.#cancelTimer();
    this.#history.stop();
    this.#probe.disconnect();
  }

  #checkAfter(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => void this.#check());
  }

  #loadChanged(): void {
    this.#snapshot = undefined;
    this.#options.onLoad();
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** The only place where the state changes. */
  #transition(state: ReplicaState): void {
    const { log, onChange } = this.#options;
    const from = this.#state.t;
    this.#state = state;
    this.#snapshot = undefined;
    const fields = { from, to: state.t, ...("reason" in state && { reason: state.reason }) };
    if (state.t === "ejected") log.warn(fields, "replica state changed");
    else log.info(fields, "replica state changed");
    onChange(this.replica);
  }
}
