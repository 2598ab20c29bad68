import type { Cancel } from "../../../src/base/clock.ts";
import { GatewayError } from "../../../src/base/errors.ts";
import { acceptsBuilds, type Replica } from "../../../src/replicas/replica.ts";
import type { PlacementOutcome, PlacementRequest, Placer } from "../../../src/routing/placer.ts";
import type { PlacerFleet } from "../../../src/routing/queued-placer-options.ts";
import { hashText, rendezvousWeight } from "../../../src/routing/rendezvous.ts";

/**
 * Where a policy sends a build of a key now; `undefined`: it waits. `ready` take
 * builds, those in `open` have room as well.
 */
export type Choice = (key: string, open: readonly Replica[], ready: readonly Replica[]) => string | undefined;

interface WaitingRequest {
  readonly request: PlacementRequest;
  readonly resolve: (outcome: PlacementOutcome) => void;
}

/** A policy to compare with. */
export interface ComparedPlacer extends Placer {
  readonly isWaiting: boolean;
  /** Room may have come free, or a replica have gone. */
  serve(): void;
}

/** The same for all policies. */
export interface QueueBounds {
  readonly maxBuilds: number;
  readonly queueBuilds: number;
}

/** Chooses at once; what it cannot place waits in one line, first come first served. */
export class FirstComePlacer implements ComparedPlacer {
  readonly #fleet: PlacerFleet;
  readonly #choose: Choice;
  readonly #maxBuilds: number;
  readonly #queueBuilds: number;
  readonly #waiting = new Set<WaitingRequest>();

  constructor(fleet: PlacerFleet, choose: Choice, { maxBuilds, queueBuilds }: QueueBounds) {
    this.#fleet = fleet;
    this.#choose = choose;
    this.#maxBuilds = maxBuilds;
    this.#queueBuilds = queueBuilds;
  }

  place(request: PlacementRequest): Promise<PlacementOutcome> {
    const outcome = this.#waiting.size > 0 ? undefined : this.#tryNow(request);
    if (outcome) return Promise.resolve(outcome);
    if (this.#waiting.size >= this.#queueBuilds) return Promise.resolve(queueFull());
    return new Promise((resolve) => this.#waiting.add({ request, resolve }));
  }

  buildStarted(): Cancel {
    return () => undefined;
  }

  serve(): void {
    for (const waiting of this.#waiting) {
      const outcome = this.#tryNow(waiting.request);
      if (!outcome) return;
      this.#waiting.delete(waiting);
      waiting.resolve(outcome);
    }
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  #tryNow({ key, onChosen }: PlacementRequest): PlacementOutcome | undefined {
    const ready = this.#fleet.replicas().filter(acceptsBuilds);
    const open = ready.filter(({ runningBuilds }) => runningBuilds < this.#maxBuilds);
    const replicaId = open.length === 0 ? undefined : this.#choose(key ?? "", open, ready);
    return replicaId === undefined ? undefined : placed(replicaId, onChosen);
  }
}

/** Sends a key to the first in its rendezvous order, whatever the load; each replica has a line of its own. */
export class RendezvousPlacer implements ComparedPlacer {
  readonly #fleet: PlacerFleet;
  readonly #bounds: QueueBounds;
  readonly #lines = new Map<string, WaitingRequest[]>();
  #size = 0;

  constructor(fleet: PlacerFleet, bounds: QueueBounds) {
    this.#fleet = fleet;
    this.#bounds = bounds;
  }

  place(request: PlacementRequest): Promise<PlacementOutcome> {
    const first = this.#first(request);
    const line = this.#lines.get(first.id) ?? [];
    if (line.length === 0 && this.#hasRoom(first)) return Promise.resolve(placed(first.id, request.onChosen));
    if (this.#size >= this.#bounds.queueBuilds) return Promise.resolve(queueFull());
    this.#size++;
    this.#lines.set(first.id, line);
    return new Promise((resolve) => line.push({ request, resolve }));
  }

  buildStarted(): Cancel {
    return () => undefined;
  }

  serve(): void {
    for (const replica of this.#fleet.replicas()) {
      const line = this.#lines.get(replica.id);
      if (!line) continue;
      if (!acceptsBuilds(replica)) this.#moveAway(replica.id, line);
      else if (line.length > 0 && this.#hasRoom(replica)) {
        const { request, resolve } = line.shift()!;
        this.#size--;
        resolve(placed(replica.id, request.onChosen));
      }
    }
  }

  get isWaiting(): boolean {
    return this.#size > 0;
  }

  /** Their replica takes builds no more: they join the line of the next in their order. */
  #moveAway(replicaId: string, line: readonly WaitingRequest[]): void {
    this.#lines.delete(replicaId);
    for (const waiting of line) {
      const { id } = this.#first(waiting.request);
      this.#lines.set(id, [...(this.#lines.get(id) ?? []), waiting]);
    }
  }

  #first({ key }: PlacementRequest): Replica {
    return firstInOrder(key ?? "", this.#fleet.replicas().filter(acceptsBuilds))!;
  }

  #hasRoom({ runningBuilds }: Replica): boolean {
    return runningBuilds < this.#bounds.maxBuilds;
  }
}

function placed(replicaId: string, onChosen: (replicaId: string) => void): PlacementOutcome {
  onChosen(replicaId);
  return { t: "placed", replicaId, reason: { t: "preferred" } };
}

function queueFull(): PlacementOutcome {
  return { t: "refused", error: new GatewayError("queue_full", "the queue is full") };
}

export function randomChoice(random: () => number): Choice {
  return (_key, open) => open[Math.floor(random() * open.length)]?.id;
}

export function roundRobinChoice(): Choice {
  let turn = 0;
  return (_key, open) => open[turn++ % open.length]?.id;
}

/** The first in rendezvous order whose load is under `loadFactor` × mean. */
export function boundedRendezvousChoice(loadFactor: number): Choice {
  return (key, open, ready) => {
    const running = ready.reduce((sum, { runningBuilds }) => sum + runningBuilds, 1);
    const share = Math.ceil((loadFactor * running) / ready.length);
    const under = open.filter(({ runningBuilds }) => runningBuilds < share);
    return firstInOrder(key, under.length > 0 ? under : open)?.id;
  };
}

function firstInOrder(key: string, replicas: readonly Replica[]): Replica | undefined {
  const keyHash = hashText(key);
  let first: Replica | undefined;
  let weight = -1;
  for (const replica of replicas) {
    const its = rendezvousWeight(keyHash, replica.id);
    if (its <= weight) continue;
    first = replica;
    weight = its;
  }
  return first;
}
