import { EventEmitter } from "node:events";
import type { DrainFleet } from "../../../src/admin/drain-routes.ts";
import type { Cancel } from "../../../src/base/clock.ts";
import type { Replica, ReplicaState } from "../../../src/replicas/replica.ts";

/** A fleet whose replicas are what the test says. */
export class FakeDrainFleet implements DrainFleet {
  readonly #replicas = new Map<string, Replica>();
  readonly #events = new EventEmitter().setMaxListeners(0);

  replicas(): readonly Replica[] {
    return [...this.#replicas.values()];
  }

  replica(id: string): Replica | undefined {
    return this.#replicas.get(id);
  }

  onChange(listener: (replica: Replica) => void): Cancel {
    this.#events.on("change", listener);
    return () => this.#events.off("change", listener);
  }

  onLoad(listener: () => void): Cancel {
    this.#events.on("load", listener);
    return () => this.#events.off("load", listener);
  }

  drain(id: string): boolean {
    return this.#operate(id, { t: "draining", sinceMs: 0, reason: "drained by an operator" });
  }

  undrain(id: string): boolean {
    return this.#operate(id, { t: "ready", sinceMs: 0 });
  }

  /** Put a replica there, or change its state. */
  put(id: string, state: ReplicaState = { t: "ready", sinceMs: 0 }): void {
    const address = { t: "tcp", host: id, port: 1234 } as const;
    const old = this.#replicas.get(id);
    const replica = { id, address, identity: id, runningBuilds: 0, unconfirmedBuilds: 0, ...old, state };
    this.#replicas.set(id, replica);
    this.#events.emit("change", replica);
  }

  /** Say how many builds run on a replica. */
  run(id: string, runningBuilds: number): void {
    this.#replicas.set(id, { ...this.#replicas.get(id)!, runningBuilds });
    this.#events.emit("load");
  }

  /** Say why it is not known what runs on a replica, or that it is. */
  unknown(id: string, loadUnknown: string | undefined): void {
    const { loadUnknown: _known, ...replica } = this.#replicas.get(id)!;
    this.#replicas.set(id, { ...replica, ...(loadUnknown !== undefined && { loadUnknown }) });
    this.#events.emit("load");
  }

  /** An operator's drain, whatever the state. */
  markDrained(id: string): void {
    this.#replicas.set(id, { ...this.#replicas.get(id)!, isDrainedByOperator: true });
  }

  /** Discovery has dropped a replica; one with builds stays as long as they run. */
  remove(id: string): void {
    this.put(id, { t: "gone", sinceMs: 0 });
    if (this.#replicas.get(id)!.runningBuilds === 0) this.#replicas.delete(id);
  }

  /** Listeners that wait for the number of builds to change. */
  get loadListeners(): number {
    return this.#events.listenerCount("load");
  }

  /** Resolves once that many listen for the number of builds. */
  async listened(count: number): Promise<void> {
    while (this.loadListeners < count)
      await new Promise((resolve) => this.#events.once("newListener", () => setImmediate(resolve)));
  }

  #operate(id: string, state: ReplicaState): boolean {
    if (!this.#replicas.has(id)) return false;
    this.put(id, state);
    return true;
  }
}
