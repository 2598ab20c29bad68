import { formatAddress } from "../base/address.ts";
import type { Cancel } from "../base/clock.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { ReplicaFacts } from "./facts.ts";
import { FailedChecks } from "./failed-checks.ts";
import { HistoryFollower } from "./history-follower.ts";
import type { MonitorOptions } from "./monitor-options.ts";
import type { Endpoint, Replica } from "./replica.ts";
import { ReplicaLife } from "./replica-life.ts";
import { ReplicaLoad } from "./replica-load.ts";
import { ReplicaProbe } from "./replica-probe.ts";

/** After its last build a gone replica is known for this long: a client may still ask for what was built. */
const AFTERGLOW_MS = 2_000;

/**
 * Follows one replica through its life: checks its health, asks its facts, and
 * hears from the data plane and from discovery.
 */
export class ReplicaMonitor {
  readonly #options: MonitorOptions;
  #endpoint: Endpoint;
  readonly #life: ReplicaLife;
  readonly #probe: ReplicaProbe;
  readonly #failures: FailedChecks;
  /** A check after a loss is under way: what else is lost needs no other. */
  #isRechecking = false;
  /** Number of the current check: what an earlier one finds out is void. */
  #round = 0;
  #cancelTimer: Cancel = () => {};
  readonly #load: ReplicaLoad;
  readonly #history: HistoryFollower;
  #isStopped = false;
  /** The replica as it was said to be last, until something changes. */
  #snapshot: Replica | undefined;

  /** Starts to check at once; `stop` ends it. */
  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint;
    const { clock, log, tls, health, random, onBuildEnded, onNews, refusal, onChecked } = options;
    this.#probe = new ReplicaProbe({
      clock,
      log,
      tls,
      timeoutMs: health.timeoutMs,
      onConnectionLost: () => this.#connectionLost(),
      onIdentity: (earlier) => this.#identified(earlier),
      refusal,
      onChecked,
    });
    this.#failures = new FailedChecks(clock);
    this.#load = new ReplicaLoad(clock, () => this.#loadChanged());
    this.#history = new HistoryFollower({ clock, log, random, load: this.#load, onBuildEnded, onNews });
    this.#life = new ReplicaLife({ clock, log, onChange: () => this.#changed() });
    void this.#check();
  }

  /** The replica as it is now; the same object until something changes. */
  get replica(): Replica {
    const { isTerminating: _, ...place } = this.#endpoint;
    this.#snapshot ??= {
      ...place,
      state: this.#life.state,
      identity: this.facts?.workerId ?? "",
      runningBuilds: this.#load.running,
      unconfirmedBuilds: this.#load.unconfirmed,
      ...(!this.#load.isKnown && { loadUnknown: this.#whyUnknown() }),
      ...(this.#failures.count > 0 && { isFailing: true }),
      ...(this.#life.isDrained && { isDrainedByOperator: true }),
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

  /** Whether its history has this build, as far as it is known. */
  knowsBuild(buildRef: string): boolean {
    return this.#history.knows(buildRef);
  }

  /** Time since its last build ended: 0 while one runs, Infinity if none was seen. */
  get idleMs(): number {
    return this.#load.idleMs;
  }

  /** Gone, and nothing is left to follow. */
  get isOver(): boolean {
    if (!this.#life.isGone || this.#load.running > 0 || !this.#load.isKnown) return false;
    return this.#isStopped || this.#load.idleMs >= AFTERGLOW_MS;
  }

  /** We have placed a build here; call the result when it has ended. */
  buildStarted(buildRef: string): Cancel {
    return this.#load.buildStarted(buildRef);
  }

  /** An operator wants no new build here, until `undrain` or until it is gone. False: it is gone already. */
  drain(): boolean {
    if (this.#life.isGone) return false;
    this.#life.isDrained = true;
    this.#snapshot = undefined;
    if (this.#life.isWell) this.#life.admit(this.#endpoint.isTerminating);
    return true;
  }

  /** The operator has no objection any more: it takes builds after one good check, where nothing else speaks against it. */
  undrain(): boolean {
    if (this.#life.isGone) return false;
    const wasDrained = this.#life.isDrained;
    this.#life.isDrained = false;
    this.#snapshot = undefined;
    if (wasDrained && this.#life.state.t === "draining" && !this.#endpoint.isTerminating) this.#checkNow();
    return true;
  }

  /** Discovery reports the endpoint, again or with a change. */
  update(endpoint: Endpoint): void {
    const was = this.#endpoint;
    this.#endpoint = endpoint;
    if (this.#life.isGone || formatAddress(was.address) !== formatAddress(endpoint.address)) {
      this.#isStopped = false;
      this.#disconnect();
      this.#probe.forgetFacts();
      this.#load.forgetHistory();
      this.#history.forget();
      this.#failures.reset();
      this.#life.connect();
      void this.#check();
    } else if (endpoint.isTerminating && this.#life.isWell) {
      this.#life.admit(true);
    } else if (was.isTerminating && !endpoint.isTerminating) {
      this.#checkNow();
    }
  }

  /** Discovery no longer reports the endpoint: it is followed on until nothing runs there, or it cannot be reached. */
  remove(): void {
    if (this.#life.isGone) return;
    this.#life.end();
    this.#endIfOver();
  }

  /** End all checks. It is gone; only builds of ours count. */
  stop(): void {
    this.#isStopped = true;
    this.#disconnect();
    this.#load.historyMissing();
    this.#life.end();
    this.#endIfOver();
  }

  /** The data plane could not connect. */
  reportFailure(reason: string): void {
    if (this.#life.isGone || this.#life.state.t === "ejected") return;
    this.#recheck();
    this.#life.eject(reason);
  }

  /**
   * The data plane lost a connection, which may be that one's fault alone: it
   * stays what it is while it is checked on a new connection, and the first
   * check that fails puts it out.
   */
  reportLost(reason: string): void {
    if (!this.#life.isWell || this.#isRechecking) return;
    this.#options.log.info({ reason }, "connection to replica lost");
    this.#recheckAfterLoss();
  }

  /** The replica announced that it will close its connections (GOAWAY). */
  reportDraining(reason: string): void {
    if (this.#life.state.t !== "ready") return;
    this.#recheck();
    this.#life.drain(reason);
  }

  #checkNow(): void {
    this.#disconnect();
    void this.#check();
  }

  /** Check on a new connection, at once, with no second chance. */
  #recheckAfterLoss(): void {
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
      await this.#probe.check(this.#endpoint.address, this.#life.state.t === "ready");
      if (round === this.#round && this.client) await this.#history.follow(this.client);
    } catch (error) {
      if (round === this.#round) this.#failed(error as Error);
      return;
    }
    if (round !== this.#round) return;
    this.#failures.reset();
    this.#snapshot = undefined;
    this.#isRechecking = false;
    this.#checkAfter(this.#options.health.intervalMs);
    this.#life.admit(this.#endpoint.isTerminating);
    this.#endIfOver();
  }

  #failed(error: Error): void {
    const { health, log, random } = this.#options;
    const reason = failureText(error, health.timeoutMs);
    this.#failures.failed(error);
    const hasChance = !this.#isRechecking && this.#failures.count < health.failuresToEject;
    this.#disconnect();
    this.#checkAfter(this.#failures.delayMs(random()));
    this.#noteFailures();
    if (this.#life.isGone) {
      this.#changed();
      this.#endIfOver();
    } else if (hasChance && this.#life.isWell) log.debug({ reason }, "health check failed");
    else this.#life.eject(reason);
  }

  /** Where no daemon is, none runs builds. One that discovery reports may only be slow; a gone one is given up. */
  #noteFailures(): void {
    const { isGone, state } = this.#life;
    const isGivenUp = isGone && this.#failures.isLost(state.sinceMs);
    if (this.#failures.isDown || isGivenUp) this.#load.historyMissing();
  }

  #endIfOver(): void {
    if (!this.isOver) return;
    this.#isStopped = true;
    this.#disconnect();
    this.#load.historyMissing();
    this.#changed();
    this.#options.onOver();
  }

  #whyUnknown(): string {
    const { state } = this.#life;
    if (state.t === "ejected") return state.reason;
    return this.#failures.count > 0 ? "its last check failed" : "its history has not been read yet";
  }

  /** The connection of the checks was lost: look at once what is there now, which may be another daemon. */
  #connectionLost(): void {
    if ((this.#life.isWell || this.#life.isGone) && !this.#isRechecking) this.#recheckAfterLoss();
  }

  #identified(earlier: string | undefined): void {
    // Its address was given to another daemon.
    if (this.#life.isGone && earlier !== undefined) this.stop();
    this.#changed();
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

  #changed(): void {
    this.#snapshot = undefined;
    this.#options.onChange(this.replica);
  }
}
