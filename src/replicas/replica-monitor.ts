import { formatAddress } from "../base/address.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { failureText } from "../buildkit/call-failure.ts";
import { ReplicaClient } from "../buildkit/replica-client.ts";
import type { ReplicaFacts } from "./facts.ts";
import { KnownFacts } from "./known-facts.ts";
import { readmitDelayMs } from "./readmit-backoff.ts";
import type { Endpoint, Replica, ReplicaState } from "./replica.ts";

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
  /** Called after every change of state. */
  readonly onChange: (replica: Replica) => void;
}

/** Wait before the next check of a replica whose last one failed. */
const READMIT = { minMs: 500, maxMs: 10_000 };

const TERMINATING = "discovery says that it is terminating";

/**
 * Follows one replica through its life: checks its health, asks its facts, and
 * hears from the data plane and from discovery.
 */
export class ReplicaMonitor {
  readonly #options: MonitorOptions;
  #endpoint: Endpoint;
  #state: ReplicaState;
  #client: ReplicaClient | undefined;
  readonly #facts: KnownFacts;
  /** Failed checks since the last good one. */
  #failures = 0;
  /** Number of the current check: what an earlier one finds out is void. */
  #round = 0;
  #cancelTimer: Cancel = () => {};
  #runningBuilds = 0;

  /** Starts to check at once; `remove` stops. */
  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint;
    this.#facts = new KnownFacts(options.clock, options.log);
    this.#state = { t: "connecting", sinceMs: options.clock.nowMs() };
    void this.#check();
  }

  /** The replica as it is now. */
  get replica(): Replica {
    const { id, address } = this.#endpoint;
    return { id, address, state: this.#state, runningBuilds: this.#runningBuilds };
  }

  /** What it told us, last time it did. */
  get facts(): ReplicaFacts | undefined {
    return this.#facts.current;
  }

  /** The client of its health checks. Absent while it is out. */
  get client(): ReplicaClient | undefined {
    return this.#client;
  }

  buildStarted(): void {
    this.#runningBuilds++;
  }

  buildEnded(): void {
    this.#runningBuilds--;
  }

  /** Discovery reports the endpoint, again or with a change. */
  update(endpoint: Endpoint): void {
    const was = this.#endpoint;
    this.#endpoint = endpoint;
    if (this.#state.t === "gone" || formatAddress(was.address) !== formatAddress(endpoint.address)) {
      this.#disconnect();
      this.#facts.forget();
      this.#failures = 0;
      this.#transition({ t: "connecting", sinceMs: this.#nowMs() });
      void this.#check();
    } else if (endpoint.isTerminating && this.#state.t === "ready") {
      this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason: TERMINATING });
    } else if (was.isTerminating && !endpoint.isTerminating) {
      this.#disconnect();
      void this.#check();
    }
  }

  /** Discovery no longer reports the endpoint. */
  remove(): void {
    this.#disconnect();
    if (this.#state.t !== "gone") this.#transition({ t: "gone", sinceMs: this.#nowMs() });
  }

  /** The data plane could not connect, or lost its connection. */
  reportFailure(reason: string): void {
    if (this.#state.t === "gone" || this.#state.t === "ejected") return;
    this.#recheck();
    this.#transition({ t: "ejected", sinceMs: this.#nowMs(), reason });
  }

  /** The replica announced that it will close its connections (GOAWAY). */
  reportDraining(reason: string): void {
    if (this.#state.t !== "ready") return;
    this.#recheck();
    this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason });
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
      const client = this.#connect();
      await this.#askHealth(client);
      if (round !== this.#round) return;
      if (this.#facts.isDue(client)) {
        const asked = this.#facts.ask(client);
        // A ready replica's earlier facts will do; a new one is not ready before it has said them.
        if (this.#state.t === "ready") asked.catch((error: Error) => this.#factsMissing(client, error));
        else await asked;
      }
    } catch (error) {
      if (round === this.#round) this.#failed(error as Error);
      return;
    }
    if (round !== this.#round) return;
    this.#failures = 0;
    this.#checkAfter(this.#options.health.intervalMs);
    this.#admit();
  }

  async #askHealth(client: ReplicaClient): Promise<void> {
    const { timeoutMs } = this.#options.health;
    const answer = await client.health(timeoutMs);
    if (answer === undefined) await client.info(timeoutMs);
    else if (answer !== "SERVING") throw new Error(`its health service says ${answer}`);
  }

  #admit(): void {
    const state = this.#state;
    if (this.#endpoint.isTerminating) {
      if (state.t === "draining") return;
      this.#transition({ t: "draining", sinceMs: this.#nowMs(), reason: TERMINATING });
    } else if (state.t !== "ready") {
      this.#transition({ t: "ready", sinceMs: this.#nowMs() });
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

  #factsMissing(client: ReplicaClient, { message }: Error): void {
    if (client === this.#client) this.#options.log.warn({ reason: message }, "replica does not say what it can do");
  }

  /** The connection of the checks was lost: look at once what is there now, which may be another daemon. */
  #connectionLost(client: ReplicaClient): void {
    if (client !== this.#client || this.#state.t !== "ready") return;
    this.#disconnect();
    this.#failures++;
    void this.#check();
  }

  #connect(): ReplicaClient {
    const { tls } = this.#options;
    const client: ReplicaClient =
      this.#client ??
      new ReplicaClient({
        address: this.#endpoint.address,
        ...(tls && { tls }),
        onConnectionLost: () => this.#connectionLost(client),
      });
    this.#client = client;
    return client;
  }

  /** End the current check and its connection. */
  #disconnect(): void {
    this.#round++;
    this.#cancelTimer();
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  #checkAfter(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => void this.#check());
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** The only place where the state changes. */
  #transition(state: ReplicaState): void {
    const { log, onChange } = this.#options;
    const from = this.#state.t;
    this.#state = state;
    const fields = { from, to: state.t, ...("reason" in state && { reason: state.reason }) };
    if (state.t === "ejected") log.warn(fields, "replica state changed");
    else log.info(fields, "replica state changed");
    onChange(this.replica);
  }
}
