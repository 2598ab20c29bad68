import { onTestFinished } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import type { Discovery } from "../../src/replicas/discovery/discovery.ts";
import { Fleet } from "../../src/replicas/fleet.ts";
import type { HealthOptions } from "../../src/replicas/monitor-options.ts";
import type { Endpoint, Replica, ReplicaState } from "../../src/replicas/replica.ts";
import { FakeClock } from "./fake-clock.ts";
import { GrpcReplica, type GrpcReplicaBehaviour } from "./grpc-replica.ts";

/** A replica for one test. */
export async function startReplica(behaviour: Partial<GrpcReplicaBehaviour> = {}, port = 0): Promise<GrpcReplica> {
  const replica = await GrpcReplica.start(behaviour, { port });
  onTestFinished(() => replica.kill());
  return replica;
}

/** A replica that is dead: nothing listens at its address any more. */
export async function refusingReplica(): Promise<GrpcReplica> {
  const replica = await GrpcReplica.start();
  replica.kill();
  return replica;
}

/** A started fleet for one test. */
export function startFleet(endpoints: readonly Endpoint[], health?: HealthOptions): FleetUnderTest {
  const lab = new FleetUnderTest(endpoints, health);
  onTestFinished(() => lab.fleet.stop());
  return lab;
}

/** An endpoint as discovery reports it. */
export function endpoint(id: string, { address }: Pick<Endpoint, "address">, { isTerminating = false } = {}): Endpoint {
  return { id, address, isTerminating };
}

/** A started fleet whose time and endpoints a test decides on. Stop it. */
export class FleetUnderTest {
  readonly clock = new FakeClock();
  readonly fleet: Fleet;
  #onEndpoints: (endpoints: readonly Endpoint[]) => void = () => {};

  constructor(endpoints: readonly Endpoint[], health: HealthOptions = {}) {
    const discovery: Discovery = {
      start: (onEndpoints) => {
        this.#onEndpoints = onEndpoints;
        onEndpoints(endpoints);
        return () => {};
      },
      status: () => [],
    };
    // Loopback is quick, but a busy machine is not: no check fails by its deadline unless a test wants it.
    const generous = { timeoutMs: 30_000, ...health };
    this.fleet = new Fleet({
      discovery,
      clock: this.clock,
      log: silentLog(),
      platforms: [],
      random: () => 0,
      health: generous,
    });
    this.fleet.start();
  }

  /** Discovery reports these endpoints now. */
  report(...endpoints: Endpoint[]): void {
    this.#onEndpoints(endpoints);
  }

  /** Resolves with the replica once it is in that state; time does not move meanwhile. */
  reaches(id: string, t: ReplicaState["t"]): Promise<Replica> {
    const replica = this.fleet.replica(id);
    if (replica?.state.t === t) return Promise.resolve(replica);
    return new Promise((resolve) => {
      const cancel = this.fleet.onChange((changed) => {
        if (changed.id !== id || changed.state.t !== t) return;
        cancel();
        resolve(changed);
      });
    });
  }

  /** Resolves once the replica is so; time does not move meanwhile. */
  becomes(id: string, isSo: (replica: Replica) => boolean): Promise<void> {
    const isNow = () => {
      const replica = this.fleet.replica(id);
      return replica !== undefined && isSo(replica);
    };
    if (isNow()) return Promise.resolve();
    return new Promise((resolve) => {
      const cancels = [this.fleet.onChange(heard), this.fleet.onLoad(heard)];
      function heard(): void {
        if (!isNow()) return;
        for (const cancel of cancels) cancel();
        resolve();
      }
    });
  }

  /** Resolves once that many builds run on the replica; time does not move meanwhile. */
  runs(id: string, builds: number): Promise<void> {
    return this.becomes(id, ({ runningBuilds }) => runningBuilds === builds);
  }

  /** Why a replica is out. */
  reason(id: string): string | undefined {
    const state = this.fleet.replica(id)?.state;
    return state && "reason" in state ? state.reason : undefined;
  }

  /** Move time to the next check and resolve when it has been made. */
  async nextCheck(): Promise<void> {
    const made = this.clock.nextTimer();
    this.clock.advance(this.clock.delaysMs[0]!);
    await made;
  }
}
