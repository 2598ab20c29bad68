import { type ServiceError, status } from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import { contentRpcs } from "../buildkit/wire-contracts.ts";
import type { ContentOwners } from "./content-owners.ts";
import { firstContacts } from "./first-contact.ts";
import type { Fleet } from "./fleet.ts";
import { type MissingReplica, surveyReplicas } from "./replica-survey.ts";

/** Where something is; `absent` only where every replica has said that it has it not. */
export type SearchOutcome =
  | { readonly t: "found"; readonly replicaId: string }
  | { readonly t: "absent" }
  | { readonly t: "unknown"; readonly missing: readonly MissingReplica[] };

/** What a search works with. */
export interface ReplicaSearchOptions {
  readonly fleet: Pick<Fleet, "replicas" | "client" | "dial" | "onChange" | "holdersOf">;
  readonly clock: Clock;
  /** Is asked first, and remembers what was found. */
  readonly owners: ContentOwners;
  /** Time that a replica has to answer. */
  readonly timeoutMs: number;
}

/** Asks one replica whether it has what is sought. */
type Has = (client: ReplicaClient, signal: AbortSignal) => Promise<boolean>;

/**
 * Finds the replica that has a build or some content: remembered where that is
 * known, else asked of all that can be asked at once. Nothing is shared with
 * other gateways, and nothing needs to be.
 */
export class ReplicaSearch {
  readonly #options: ReplicaSearchOptions;
  /** Searches that are under way: those who ask for the same share the answer. */
  readonly #running = new Map<string, Promise<SearchOutcome>>();

  constructor(options: ReplicaSearchOptions) {
    this.#options = options;
  }

  /** Replicas that have this content, as far as it is known, and that can be asked. */
  knownOwners(digest: string): readonly string[] {
    const { fleet, owners } = this.#options;
    return owners.of(digest).filter((id) => fleet.client(id) !== undefined);
  }

  /** Find who runs a build or has it in its history. Never rejects. */
  build(buildRef: string): Promise<SearchOutcome> {
    const { fleet, timeoutMs } = this.#options;
    const known = fleet.holdersOf(buildRef).find((id) => fleet.client(id) !== undefined);
    if (known !== undefined) return Promise.resolve({ t: "found", replicaId: known });
    return this.#ask(`build ${buildRef}`, (client, signal) => client.knowsBuild(buildRef, { timeoutMs, signal }));
  }

  /** Find who has this content. Never rejects. */
  async content(digest: string): Promise<SearchOutcome> {
    const { owners, timeoutMs } = this.#options;
    const known = this.knownOwners(digest)[0];
    if (known !== undefined) return { t: "found", replicaId: known };
    const { Info } = contentRpcs;
    const request = Info.requestSerialize({ digest });
    const outcome = await this.#ask(`content ${digest}`, async (client, signal) => {
      try {
        await client.call(Info, request, { timeoutMs, signal });
        return true;
      } catch (error) {
        // What a daemon says of a digest that is none at all is an answer, too.
        const { code } = error as ServiceError;
        if (code === status.NOT_FOUND || code === status.INVALID_ARGUMENT) return false;
        throw error;
      }
    });
    if (outcome.t === "found") owners.learn(outcome.replicaId, [digest]);
    return outcome;
  }

  #ask(what: string, has: Has): Promise<SearchOutcome> {
    const known = this.#running.get(what);
    if (known) return known;
    const search = this.#search(has).finally(() => this.#running.delete(what));
    this.#running.set(what, search);
    return search;
  }

  /** Where somebody new has not answered yet, all are asked once more when it has. */
  async #search(has: Has): Promise<SearchOutcome> {
    const { fleet, clock, timeoutMs } = this.#options;
    const hasNewcomers = fleet.replicas().some(({ state }) => state.t === "connecting");
    const outcome = await this.#askAll(has);
    if (outcome.t !== "unknown" || !hasNewcomers) return outcome;
    await firstContacts(fleet, clock, timeoutMs);
    return await this.#askAll(has);
  }

  /** The first to have it ends the search. */
  async #askAll(has: Has): Promise<SearchOutcome> {
    const { fleet, timeoutMs } = this.#options;
    const survey = surveyReplicas(fleet);
    const missing = [...survey.missing];
    const ending = new AbortController();
    try {
      const replicaId = await Promise.any(
        survey.asked.map(async ({ id, client }) => {
          let isThere = false;
          try {
            isThere = await this.#askOne(id, client, has, ending.signal);
          } catch (error) {
            missing.push({ id, reason: failureText(error as Error, timeoutMs) });
          }
          if (isThere) return id;
          throw new Error("not here");
        }),
      );
      return { t: "found", replicaId };
    } catch {
      return missing.length > 0 ? { t: "unknown", missing } : { t: "absent" };
    } finally {
      ending.abort();
    }
  }

  /** Health checks give up their connection at times, whoever uses it: then one is made for this question alone. */
  async #askOne(id: string, client: ReplicaClient | undefined, has: Has, signal: AbortSignal): Promise<boolean> {
    const { fleet } = this.#options;
    try {
      if (client) return await has(client, signal);
    } catch (error) {
      if (signal.aborted || fleet.client(id) === client) throw error;
    }
    const own = fleet.dial(id);
    if (!own) throw new Error("it is gone");
    try {
      return await has(own, signal);
    } finally {
      own.close();
    }
  }
}
