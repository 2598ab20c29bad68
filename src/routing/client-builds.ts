import type { BuildGroup } from "./build-group.ts";
import type { RoutedClient } from "./routed-call.ts";

/** What is known of the builds of one client. */
export class ClientBuilds {
  /** The replica its builds follow: where its first build that is not internal was placed. */
  binding: string | undefined;
  /** The replica that its last call was sent to, of whatever kind. */
  visited: string | undefined;
  /** Solves whose bodies are still arriving. */
  arrivingSolves = 0;
  readonly #client: RoutedClient;
  #placing: BuildGroup | undefined;

  constructor(client: RoutedClient) {
    this.#client = client;
  }

  /** The binding, while its connection lasts. */
  get liveBinding(): string | undefined {
    return this.binding !== undefined && this.#client.isConnected(this.binding) ? this.binding : undefined;
  }

  /** The replica that its calls of no build go to; `undefined`: to any. */
  get home(): string | undefined {
    const { visited } = this;
    return this.liveBinding ?? (visited !== undefined && this.#client.isConnected(visited) ? visited : undefined);
  }

  /** The group that will decide the binding, while it is held. */
  get placing(): BuildGroup | undefined {
    return this.#placing?.isUnsettled ? this.#placing : undefined;
  }

  /** A build that is not internal belongs to a group that is held: the client's later builds do too. */
  joinTo(group: BuildGroup): void {
    if (!this.placing) this.#placing = group;
  }

  /** A Solve of its is on the way, which may name calls that wait. */
  get isSolving(): boolean {
    return this.arrivingSolves > 0 || this.placing !== undefined;
  }
}

/** All clients that have made a call. */
export class Clients {
  readonly #builds = new Map<RoutedClient, ClientBuilds>();

  get size(): number {
    return this.#builds.size;
  }

  of(client: RoutedClient): ClientBuilds {
    let builds = this.#builds.get(client);
    if (!builds) {
      builds = new ClientBuilds(client);
      this.#builds.set(client, builds);
    }
    return builds;
  }

  forget(client: RoutedClient): void {
    this.#builds.delete(client);
  }
}
