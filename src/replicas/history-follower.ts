import { type ServiceError, status } from "@grpc/grpc-js";
import { backoffDelayMs } from "../base/backoff.ts";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { HistoryEvent } from "../buildkit/history-event.ts";
import { readRecordDigests } from "../buildkit/record-digests.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import { KnownRecords } from "./known-records.ts";
import type { ReplicaLoad } from "./replica-load.ts";

/** A build that has ended on a replica, whoever started it. */
export interface EndedBuild {
  readonly buildRef: string;
  /** The frontend's options that say what was built. May hold secrets: never logged. */
  readonly attrs: ReadonlyMap<string, string>;
  /** `name` of each image exporter: comma-separated image names. */
  readonly imageNames: readonly string[];
  readonly isSuccess: boolean;
  /** Time since it ended. */
  readonly ageMs: number;
  /** Content that its record names. */
  readonly digests: readonly string[];
}

/** Something that has just happened to a build on a replica; `message` is the `BuildHistoryEvent` as it came. */
export interface HistoryNews {
  readonly event: HistoryEvent;
  readonly message: Buffer;
}

/** What a follower works with. */
export interface HistoryFollowerOptions {
  readonly clock: Clock;
  /** Names the replica. */
  readonly log: Logger;
  /** A number in [0, 1), for the jitter of the backoff. */
  readonly random: () => number;
  /** Is told of what runs. */
  readonly load: ReplicaLoad;
  /** Hears of every build that has ended, of some more than once. */
  readonly onBuildEnded: (build: EndedBuild) => void;
  /** Hears of all that happens, once; not of what had happened before the history was first followed. */
  readonly onNews: (news: HistoryNews) => void;
}

interface Following {
  readonly t: "following";
  readonly client: ReplicaClient;
  readonly sinceMs: number;
  readonly cancel: Cancel;
  /** Ends the listings that are under way. */
  readonly ending: AbortController;
  /** The daemon's clock minus ours; 0 where it does not tell. */
  aheadMs: number;
  /** Resolves once the first listing is over, however it went. */
  listing: Promise<void>;
  /** When what runs is to be listed again. Infinity while that is being done. */
  listAgainAtMs: number;
}

type FollowerState =
  | { readonly t: "off" }
  | Following
  | { readonly t: "waiting"; readonly client: ReplicaClient; readonly cancel: Cancel }
  /** The daemon keeps no history. */
  | { readonly t: "unsupported"; readonly client: ReplicaClient };

/** Wait before a history whose stream has ended is asked for again. */
const REOPEN = { minMs: 500, maxMs: 30_000 };

/** A stream that was open for this long has not failed at once: the wait is short again. */
const SETTLED_MS = 10_000;

/** Time that a listing has. A daemon answers in milliseconds; a new replica takes no build before. */
const LISTING_TIMEOUT_MS = 1_000;

/** What runs is listed again about this often: a daemon that cannot write its database tells no end. */
const RELIST_MS = 60_000;

/** Follows one replica's history of builds for as long as its connection lasts. */
export class HistoryFollower {
  readonly #options: HistoryFollowerOptions;
  readonly #records = new KnownRecords();
  #state: FollowerState = { t: "off" };
  /** Streams that ended soon after they were opened, in a row. */
  #failures = 0;
  /** Some completed build cannot be told: ask for running ones alone. */
  #activeOnly = false;

  constructor(options: HistoryFollowerOptions) {
    this.#options = options;
  }

  /**
   * The replica is well: follow its history over this client, unless that is
   * done already. Resolves once all that runs there is known, or in a second.
   */
  follow(client: ReplicaClient): Promise<void> {
    if (this.#state.t === "off" || this.#state.client !== client) {
      this.stop();
      this.#failures = 0;
      this.#activeOnly = false;
      this.#open(client);
    } else if (this.#state.t === "following" && this.#isListingDue(this.#state)) {
      void this.#list(this.#state);
    }
    return this.#state.t === "following" ? this.#state.listing : Promise.resolve();
  }

  /** Whether the replica's history has this build, running or completed, as far as it is known. */
  knows(buildRef: string): boolean {
    return this.#records.has(buildRef);
  }

  /** What is there from now on is another daemon. */
  forget(): void {
    this.#records.forget();
  }

  /** The client is closed, or the replica is not well. */
  stop(): void {
    const state = this.#state;
    this.#state = { t: "off" };
    if ("cancel" in state) state.cancel();
    if (state.t !== "following") return;
    state.ending.abort();
    this.#options.load.historyLost();
  }

  #open(client: ReplicaClient): void {
    const { clock, load } = this.#options;
    load.historyAsked();
    const cancel = client.followHistory(this.#activeOnly, {
      onOpen: (daemonTimeMs = clock.wallTime().getTime()) => {
        following.aheadMs = daemonTimeMs - clock.wallTime().getTime();
        this.#records.followed(daemonTimeMs);
      },
      onEvent: (event, message) => this.#told(event, message, following),
      onEnd: (error) => this.#ended(client, error),
    });
    const following: Following = {
      t: "following",
      client,
      sinceMs: clock.nowMs(),
      cancel,
      ending: new AbortController(),
      aheadMs: 0,
      listing: Promise.resolve(),
      listAgainAtMs: 0,
    };
    this.#state = following;
    following.listing = this.#list(following);
  }

  /** A listing that failed is made again at the next check. */
  #isListingDue({ listAgainAtMs }: Following): boolean {
    const { clock, load } = this.#options;
    if (listAgainAtMs === Number.POSITIVE_INFINITY) return false;
    return !load.isKnown || load.hasOverdue || (load.isDoubtful && clock.nowMs() >= listAgainAtMs);
  }

  /** Learn all that runs, from a stream that ends by itself: the one that is followed does not say where its listing ends. */
  async #list(following: Following): Promise<void> {
    const { clock, load, log, random } = this.#options;
    const { client, ending } = following;
    following.listAgainAtMs = Number.POSITIVE_INFINITY;
    const listing = load.listingBegins();
    try {
      const running = await client.listRunning({ timeoutMs: LISTING_TIMEOUT_MS, signal: ending.signal });
      if (this.#state !== following) return;
      for (const { buildRef, createdAtMs } of running) load.listed(buildRef, createdAtMs);
      load.listingEnds(listing);
    } catch (error) {
      if (this.#state !== following) return;
      log.debug({ reason: failureText(error as Error, LISTING_TIMEOUT_MS) }, "replica does not list its builds");
    }
    following.listAgainAtMs = clock.nowMs() + RELIST_MS * (0.75 + random() / 2);
  }

  #told(event: HistoryEvent, message: Buffer, { aheadMs }: Following): void {
    const { load, onBuildEnded, onNews, clock } = this.#options;
    const { t, buildRef, createdAtMs, completedAtMs, attrs, imageNames, isSuccess } = event;
    // Whoever hears of it may ask at once who has the build.
    if (this.#records.isNews(event)) onNews({ event, message });
    if (t === "started") {
      load.listed(buildRef, createdAtMs);
      return;
    }
    // A record can be deleted while its build runs on.
    if (t === "deleted") return;
    load.ended(buildRef, createdAtMs);
    const ageMs = completedAtMs === 0 ? 0 : Math.max(0, clock.wallTime().getTime() + aheadMs - completedAtMs);
    onBuildEnded({ buildRef, attrs, imageNames, isSuccess, ageMs, digests: readRecordDigests(message) });
  }

  #ended(client: ReplicaClient, error: ServiceError | undefined): void {
    const { clock, log, load, random } = this.#options;
    const state = this.#state;
    if (state.t !== "following") return;
    state.ending.abort();
    if (error?.code === status.UNIMPLEMENTED) {
      log.info("replica keeps no history: builds that others start there are not counted");
      this.#state = { t: "unsupported", client };
      load.historyMissing();
      return;
    }
    if (clock.nowMs() - state.sinceMs >= SETTLED_MS) this.#failures = 0;
    this.#failures++;
    // One record is larger than a message may be, and would end every stream.
    if (error?.code === status.RESOURCE_EXHAUSTED) this.#activeOnly = true;
    const delayMs = backoffDelayMs(this.#failures, REOPEN, random());
    log.debug({ reason: error && failureText(error, 0), delayMs }, "replica's history lost");
    this.#state = { t: "waiting", client, cancel: clock.after(delayMs, () => this.#open(client)) };
    load.historyLost();
  }
}
