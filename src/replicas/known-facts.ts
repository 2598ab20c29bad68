import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import { askFacts, type ReplicaFacts } from "./facts.ts";

/** Facts are asked again this often: a daemon tries its emulators anew each time it lists workers. */
const REFRESH_MS = 60_000;

/** Time that a replica has to list its workers, emulators tried. */
const TIMEOUT_MS = 10_000;

/**
 * What one replica said last, and when to ask again: after a minute, and on
 * every new connection, which may lead to another daemon.
 */
export class KnownFacts {
  readonly #clock: Clock;
  readonly #log: Logger;
  #facts: ReplicaFacts | undefined;
  #asked: { readonly client: ReplicaClient; readonly atMs: number } | undefined;

  /** `log` names the replica. */
  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  get current(): ReplicaFacts | undefined {
    return this.#facts;
  }

  /** The replica moved: it is another daemon. */
  forget(): void {
    this.#facts = undefined;
    this.#asked = undefined;
  }

  isDue(client: ReplicaClient): boolean {
    return this.#asked?.client !== client || this.#clock.nowMs() - this.#asked.atMs >= REFRESH_MS;
  }

  /** Ask through this client. Rejects with an Error that says what is missing. */
  async ask(client: ReplicaClient): Promise<void> {
    this.#asked = { client, atMs: this.#clock.nowMs() };
    let facts: ReplicaFacts;
    try {
      facts = await askFacts(client, TIMEOUT_MS);
    } catch (cause) {
      throw new Error(`it does not say what it can do: ${failureText(cause as Error, TIMEOUT_MS)}`, { cause });
    }
    if (client === this.#asked?.client) this.#keep(facts);
  }

  #keep(facts: ReplicaFacts): void {
    const known = this.#facts;
    if (!facts.pongBytes) this.#log.warn("replica does not answer a frontend's ping");
    if (known && known.workerId !== facts.workerId) {
      this.#log.info({ worker: facts.workerId }, "another daemon at the replica's address");
    }
    this.#facts = { ...facts, pongBytes: facts.pongBytes ?? known?.pongBytes };
  }
}
