import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { BuildQueue, type OfferResult, type Turn } from "./build-queue.ts";
import { type Explanation, explain } from "./explanation.ts";
import { patienceEndsMs } from "./patience.ts";
import { fleetRoom, type Placement, place, placeAnywhere } from "./placement.ts";
import {
  refuseAbandoned,
  refuseNoReplica,
  refuseQueueFull,
  refuseStopping,
  refuseTimeout,
} from "./placement-refusals.ts";
import type { PlacementOutcome, PlacementRequest, Placer } from "./placer.ts";
import type { PlacerFleet, PlacerOptions, QueuedPlacerParts } from "./queued-placer-options.ts";
import { busyCause, describeHindrance, type Hindrance } from "./wait-cause.ts";
import { type FirstAsked, WaitingBuild } from "./waiting-build.ts";
import { WaitingNews } from "./waiting-news.ts";
import type { WarmMemory } from "./warm-memory.ts";

/** How much waits and runs. */
export interface Census {
  /** Builds that wait. */
  readonly queued: number;
  /** Builds that were admitted here and run. */
  readonly running: number;
  /** How long the oldest has waited; 0 when none waits. */
  readonly oldestWaitMs: number;
}

const UNCONFIRMED: Placement["t"] = "unconfirmed";

/** Replicas that could not be reached for a build are tried again for it after this time. */
const RETRY_EXCLUDED_MS = 5_000;

/** Places builds where their cache is warm, and makes them wait in a fair queue while they have no place. */
export class QueuedPlacer implements Placer {
  readonly #fleet: PlacerFleet;
  readonly #memory: WarmMemory;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: PlacerOptions;
  readonly #queue: BuildQueue<WaitingBuild>;
  /** Internal Solves that wait for a replica: they need no room and take nobody's turn. */
  readonly #internals = new Set<WaitingBuild>();
  readonly news: WaitingNews;
  readonly #stopListening: Cancel;
  /** When each request was first made: one that comes again, its replica not reached, keeps its place and its time. */
  readonly #firstAsked = new WeakMap<PlacementRequest, FirstAsked>();
  readonly #onFullness = new Set<() => void>();
  #wasFull = false;
  #arrivals = 0;
  /** What everybody waits for, where no replica has room. */
  #fleetCause: string | undefined;
  #isRoundDue = false;
  #turn: NodeJS.Immediate | undefined;
  #isStopped = false;

  /** It listens to the fleet until `stop` is called. */
  constructor({ fleet, memory, clock, log, options }: QueuedPlacerParts) {
    this.#fleet = fleet;
    this.#memory = memory;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#queue = new BuildQueue(options.weightOf);
    this.news = new WaitingNews(
      clock,
      () => [this.#queue.inOrder(), [...this.#internals]],
      (build) => (this.#isMomentary(build) ? undefined : this.#causeOf(build)),
    );
    this.#stopListening = fleet.onChange(() => this.#wake());
  }

  place(request: PlacementRequest, signal: AbortSignal): Promise<PlacementOutcome> {
    const outcome = this.#placeNow(request, signal);
    return outcome instanceof WaitingBuild ? outcome.outcome : Promise.resolve(outcome);
  }

  /** Call it from `onChosen`: what goes next is decided by how many of each fair key run. */
  buildStarted(fairKey: string): Cancel {
    const end = this.#queue.started(fairKey);
    return () => {
      end();
      this.#wake();
    };
  }

  /** Whether one more build would be refused if it had to wait. */
  get isFull(): boolean {
    return this.#queue.size >= this.#options.queueBuilds;
  }

  /** Hear when {@link isFull} may have changed. */
  onFullness(listener: () => void): Cancel {
    this.#onFullness.add(listener);
    return () => this.#onFullness.delete(listener);
  }

  census(): Census {
    let oldestMs = this.#clock.nowMs();
    const nowMs = oldestMs;
    for (const { arrivedMs } of this.#queue.heads()) oldestMs = Math.min(oldestMs, arrivedMs);
    return { queued: this.#queue.size, running: this.#queue.running, oldestWaitMs: nowMs - oldestMs };
  }

  /** Where a build of this key would go now, if none were waiting. */
  explain(key: string | undefined): Explanation {
    return explain(key, key === undefined ? [] : this.#memory.find(key), this.#fleet.replicas(), this.#options);
  }

  /** Refuse what waits, and whatever comes later. */
  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    for (const build of [...this.#queue.inOrder(), ...this.#internals]) this.#refuse(build, refuseStopping());
    this.news.stop();
    clearImmediate(this.#turn);
  }

  #placeNow(request: PlacementRequest, signal: AbortSignal): PlacementOutcome | WaitingBuild {
    if (this.#isStopped) return refuseStopping();
    if (signal.aborted) return refuseAbandoned();
    if (request.purpose !== "build") return this.#placeAnywhere(request, signal);
    // Room that has come free is for those who wait for it already.
    if (this.#isRoundDue) this.#round();
    const build = this.#waitingBuild(request);
    const isBehindOthers = (this.#queue.turn(build.fairKey)?.waiting.size ?? 0) > 0;
    const decision = isBehindOthers ? undefined : this.#decide(build, false);
    if (decision?.t === "placed") return this.#chosen(build, decision);
    if (this.isFull) {
      const cause = this.#describe(decision ?? { t: "full" }, build.excluded);
      return refuseQueueFull(this.#options.queueBuilds, "build", cause);
    }
    const turn = this.#queue.add(build);
    if (decision) this.#noteWait(build, turn, decision);
    this.#beginWait(build, signal);
    this.#log.debug({ key: request.key, queued: this.#queue.size }, "build waits");
    return build;
  }

  #placeAnywhere(request: PlacementRequest, signal: AbortSignal): PlacementOutcome | WaitingBuild {
    const replica = placeAnywhere(this.#fleet.replicas(), request.excluded);
    if (replica) {
      request.onChosen(replica.id);
      return { t: "placed", replicaId: replica.id, reason: { t: "least loaded" } };
    }
    const cause = this.#describe({ t: "none" }, request.excluded);
    if (request.purpose === "call") return refuseNoReplica(cause);
    const { queueBuilds } = this.#options;
    if (this.#internals.size >= queueBuilds) return refuseQueueFull(queueBuilds, "internal build", cause);
    const waiting = this.#waitingBuild(request);
    this.#internals.add(waiting);
    this.#beginWait(waiting, signal);
    return waiting;
  }

  #waitingBuild(request: PlacementRequest): WaitingBuild {
    const first = this.#firstAsked.get(request) ?? { arrival: this.#arrivals++, arrivedMs: this.#clock.nowMs() };
    this.#firstAsked.set(request, first);
    return new WaitingBuild(request, first, this.#clock);
  }

  #beginWait(build: WaitingBuild, signal: AbortSignal): void {
    const abandon = (): void => this.#refuse(build, refuseAbandoned());
    signal.addEventListener("abort", abandon, { once: true });
    build.until(() => signal.removeEventListener("abort", abandon));
    build.forgiveAfter(RETRY_EXCLUDED_MS, () => this.#wake());
    const { queueTimeoutMs } = this.#options;
    const timeOut = (): void => this.#refuse(build, refuseTimeout(queueTimeoutMs, this.#causeOf(build)));
    const endsMs = build.arrivedMs + queueTimeoutMs;
    build.until(this.#clock.after(Math.max(0, endsMs - this.#clock.nowMs()), timeOut));
    this.news.expectNewcomer();
    this.#scheduleTurn();
  }

  #decide(build: WaitingBuild, mayPass: boolean): Placement | Hindrance {
    const { request, excluded } = build;
    const { perKey = this.#options.perKey } = request;
    const turn = this.#queue.turn(build.fairKey);
    if (perKey > 0 && turn && turn.running >= perKey) {
      const setting = request.perKey === undefined ? "queue.perKey" : "a policy rule's maxBuilds";
      return { t: "at maximum", running: turn.running, setting };
    }
    const { key } = request;
    const warm = key === undefined ? [] : this.#memory.find(key);
    const isPatient = this.#patienceEndsMs(build, turn, mayPass) > this.#clock.nowMs();
    return place({ key, warm, excluded, isPatient }, this.#fleet.replicas(), this.#options);
  }

  #patienceEndsMs({ arrivedMs }: WaitingBuild, turn: Turn<WaitingBuild> | undefined, mayPass: boolean): number {
    const { patienceMs } = this.#options;
    return patienceEndsMs(turn, { arrivedMs, nowMs: this.#clock.nowMs(), patienceMs, mayPass });
  }

  #chosen(build: WaitingBuild, placed: Extract<Placement, { t: "placed" }>): PlacementOutcome {
    const turn = this.#queue.turn(build.fairKey);
    if (turn && placed.reason.t === "warm") {
      turn.emptySinceMs = undefined;
      turn.passedOverSinceMs = undefined;
    }
    this.#queue.remove(build);
    build.request.onChosen(placed.replicaId);
    build.settle(placed);
    return placed;
  }

  #refuse(build: WaitingBuild, refusal: PlacementOutcome): void {
    this.#internals.delete(build);
    this.#queue.remove(build);
    build.settle(refusal);
    this.#wake();
    this.#tellFullness();
  }

  #tellFullness(): void {
    if (this.#wasFull === this.isFull) return;
    this.#wasFull = this.isFull;
    for (const listener of [...this.#onFullness]) listener();
  }

  #wake(): void {
    if (this.#queue.size === 0 && this.#internals.size === 0) return;
    this.#isRoundDue = true;
    this.#scheduleTurn();
  }

  /** Whatever happens during one turn of the event loop makes one round. */
  #scheduleTurn(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      if (this.#isRoundDue) this.#round();
      this.news.changed();
      this.#tellFullness();
    });
  }

  #round(): void {
    this.#isRoundDue = false;
    for (const internal of this.#internals) {
      const replica = placeAnywhere(this.#fleet.replicas(), internal.excluded);
      if (!replica) continue;
      this.#internals.delete(internal);
      internal.request.onChosen(replica.id);
      internal.settle({ t: "placed", replicaId: replica.id, reason: { t: "least loaded" } });
    }
    const room = fleetRoom(this.#fleet.replicas(), this.#options);
    this.#fleetCause = room === "room" ? undefined : this.#describe({ t: room }, new Map());
    // Who waits for where it is warm lets those behind it go first, and then may take what they leave.
    for (const mayPass of [true, false]) {
      if (this.#fleetCause === undefined) this.#queue.serve((head, turn) => this.#offer(head, turn, mayPass));
    }
    if (this.#fleetCause !== undefined) this.#queue.nothingEmpty();
  }

  #offer(build: WaitingBuild, turn: Turn<WaitingBuild>, mayPass: boolean): OfferResult {
    const decision = this.#decide(build, mayPass);
    if (decision.t === "placed") {
      this.#chosen(build, decision);
      return "taken";
    }
    if (mayPass && decision.t === "busy") turn.passedOverSinceMs ??= this.#clock.nowMs();
    else this.#noteWait(build, turn, decision);
    return this.#fleetCause === undefined ? "passed" : "stop";
  }

  /** The head of a turn waits: keep why, and come back when its patience is over. */
  #noteWait(build: WaitingBuild, turn: Turn<WaitingBuild>, hindrance: Hindrance): void {
    const { excluded } = build;
    let about: string = hindrance.t;
    let text = () => this.#describe(hindrance, excluded);
    if (hindrance.t === "busy") {
      const nowMs = this.#clock.nowMs();
      turn.emptySinceMs ??= nowMs;
      const endsMs = this.#patienceEndsMs(build, turn, false);
      build.wakeAt(endsMs, () => this.#wake());
      // The time that is left is said once: each further second would be news of nothing.
      about = `${hindrance.replicaId} ${endsMs}`;
      text = () => busyCause(hindrance.replicaId, endsMs - nowMs);
    } else if ((hindrance.t === "full" || hindrance.t === "none") && excluded.size === 0) {
      this.#fleetCause = text();
    }
    if (hindrance.t !== "busy" || turn.cause.about !== about) turn.cause = { about, text: text() };
  }

  /** It has its replica in a moment, so that its user need not hear of it. */
  #isMomentary({ fairKey }: WaitingBuild): boolean {
    return this.#fleetCause === undefined && this.#queue.turn(fairKey)?.cause.about === UNCONFIRMED;
  }

  #causeOf(build: WaitingBuild): string {
    if (build.request.purpose === "internal") return this.#describe({ t: "none" }, build.excluded);
    return this.#fleetCause ?? this.#queue.turn(build.fairKey)?.cause.text ?? "";
  }

  #describe(hindrance: Hindrance, excluded: ReadonlyMap<string, string>): string {
    return describeHindrance(hindrance, this.#fleet, excluded, this.#options);
  }
}
