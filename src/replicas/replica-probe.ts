import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { ReplicaClient } from "../buildkit/replica-client.ts";
import type { ReplicaFacts } from "./facts.ts";
import { KnownFacts } from "./known-facts.ts";

/** What a probe works with. */
export interface ReplicaProbeOptions {
  readonly clock: Clock;
  /** Names the replica. */
  readonly log: Logger;
  readonly tls: TlsMaterial | undefined;
  /** Time that the replica has to answer about its health. */
  readonly timeoutMs: number;
  /** Called when the connection is lost; not after `disconnect`. */
  readonly onConnectionLost: () => void;
  /** Called when the replica turns out to be another daemon than the earlier one, or for the first time which one it is. */
  readonly onIdentity: (earlier: string | undefined) => void;
  /** Hears of each check that has run to its end. */
  readonly onChecked: ((durationMs: number, isWell: boolean) => void) | undefined;
  /** Why a replica of these facts cannot be of this fleet; `undefined`: it can. */
  readonly refusal: (facts: ReplicaFacts) => string | undefined;
}

/** The connection over which one replica is asked how it is and what it is. */
export class ReplicaProbe {
  readonly #options: ReplicaProbeOptions;
  readonly #facts: KnownFacts;
  #client: ReplicaClient | undefined;

  constructor(options: ReplicaProbeOptions) {
    this.#options = options;
    this.#facts = new KnownFacts(options.clock, options.log);
  }

  /** Absent while there is no connection. */
  get client(): ReplicaClient | undefined {
    return this.#client;
  }

  /** What the replica said last. */
  get facts(): ReplicaFacts | undefined {
    return this.#facts.current;
  }

  /** The replica moved: it is another daemon. */
  forgetFacts(): void {
    this.#facts.forget();
  }

  /**
   * Ask for its health, and for its facts where they are due. Rejects with an
   * Error where it is not well or cannot be of this fleet; where `earlierFactsDo`, the facts are not waited for.
   */
  async check(address: Address, earlierFactsDo: boolean): Promise<void> {
    const { clock, onChecked } = this.#options;
    const client = this.#connect(address);
    const beganMs = clock.nowMs();
    const ended = (isWell: boolean): void => {
      if (client === this.#client) onChecked?.(clock.nowMs() - beganMs, isWell);
    };
    try {
      await this.#examine(client, earlierFactsDo);
    } catch (error) {
      ended(false);
      throw error;
    }
    ended(true);
  }

  async #examine(client: ReplicaClient, earlierFactsDo: boolean): Promise<void> {
    await this.#askHealth(client);
    if (client === this.#client && this.#facts.isDue(client)) {
      const asked = this.#askFacts(client);
      if (earlierFactsDo) asked.catch((error: Error) => this.#factsMissing(client, error));
      else await asked;
    }
    const refusal = this.facts && this.#options.refusal(this.facts);
    if (refusal !== undefined) throw new Error(refusal);
  }

  /** Close the connection; the next check makes another. */
  disconnect(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  async #askHealth(client: ReplicaClient): Promise<void> {
    const { timeoutMs } = this.#options;
    const answer = await client.health(timeoutMs);
    if (answer === undefined) await client.info(timeoutMs);
    else if (answer !== "SERVING") throw new Error(`its health service says ${answer}`);
  }

  async #askFacts(client: ReplicaClient): Promise<void> {
    const was = this.facts?.workerId;
    await this.#facts.ask(client);
    if (this.facts?.workerId !== was) this.#options.onIdentity(was);
  }

  #factsMissing(client: ReplicaClient, { message }: Error): void {
    if (client === this.#client) this.#options.log.warn({ reason: message }, "replica does not say what it can do");
  }

  #connect(address: Address): ReplicaClient {
    const { tls, onConnectionLost } = this.#options;
    const client: ReplicaClient =
      this.#client ??
      new ReplicaClient({
        address,
        ...(tls && { tls }),
        onConnectionLost: () => {
          if (client === this.#client) onConnectionLost();
        },
      });
    this.#client = client;
    return client;
  }
}
