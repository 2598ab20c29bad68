import { type Logger, silentLog } from "../../../src/base/log.ts";
import type { SolveRequest } from "../../../src/buildkit/solve-request.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import { KEY_SOURCES } from "../../../src/routing/affinity-key.ts";
import { BuildGroups } from "../../../src/routing/build-groups.ts";
import type { GroupFleet } from "../../../src/routing/build-groups-options.ts";
import { ImmediatePlacer, type Placer } from "../../../src/routing/placer.ts";
import type { ConnectOutcome, RoutedCall, RoutedClient } from "../../../src/routing/routed-call.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** What a Solve says, with what a test does not care for filled in. */
export function solve(buildRef: string, parts: Partial<SolveRequest> = {}): SolveRequest {
  return {
    buildRef,
    buildSession: `session-of-${buildRef}`,
    inputSessions: [],
    isInternal: false,
    attrs: new Map([["vcs:source", "https://github.com/acme/app.git"]]),
    imageNames: [],
    ...parts,
  };
}

export function readyReplica(id: string, runningBuilds = 0): Replica {
  return { id, address: { t: "tcp", host: id, port: 1234 }, state: { t: "ready", sinceMs: 0 }, runningBuilds };
}

/** Let everything run that waits for nothing but its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A client connection whose ways to replicas a test decides on. */
export class ScriptedClient implements RoutedClient {
  readonly connected = new Set<string>();
  /** Replicas that were asked for, in order. */
  readonly connects: string[] = [];
  readonly #unreachable = new Map<string, string>();
  #pending: ((outcome: ConnectOutcome) => void)[] | undefined;

  isConnected(replicaId: string): boolean {
    return this.connected.has(replicaId);
  }

  async connect(replicaId: string): Promise<ConnectOutcome> {
    this.connects.push(replicaId);
    const pending = this.#pending;
    if (pending) await new Promise<ConnectOutcome>((resolve) => pending.push(resolve));
    const reason = this.#unreachable.get(replicaId);
    if (reason !== undefined) return { t: "failed", reason };
    this.connected.add(replicaId);
    return { t: "connected" };
  }

  /** From now on nothing answers at this replica's address. */
  cannotReach(replicaId: string, reason = "connect ECONNREFUSED"): void {
    this.connected.delete(replicaId);
    this.#unreachable.set(replicaId, reason);
  }

  /** Keep connections pending until the returned function is called. */
  holdConnects(): () => void {
    const pending: ((outcome: ConnectOutcome) => void)[] = [];
    this.#pending = pending;
    return () => {
      this.#pending = undefined;
      for (const resolve of pending) resolve({ t: "connected" });
    };
  }
}

/** Groups in front of a fleet, a clock and clients that a test scripts, and a journal of what came of each call. */
export class RoutingRig {
  readonly clock = new FakeClock();
  /** `solve → a`: released to replica a. `status ✗ no_replica`: failed. In the order it happened. */
  readonly journal: string[] = [];
  /** What each failed call was told. */
  readonly messages = new Map<string, string>();
  /** Builds counted on each replica. */
  readonly load = new Map<string, number>();
  /** Replicas reported as not reachable. */
  readonly reported: string[] = [];
  /** Builds that replicas were asked for. */
  readonly located: string[] = [];
  /** Which replica has a build of nobody's here. */
  readonly owners = new Map<string, string>();
  readonly groups: BuildGroups;
  readonly replicas: string[];
  readonly #calls = new Map<RoutedClient, ScriptedCall[]>();
  #arrivals = 0;

  constructor(
    replicas: readonly string[] = ["a", "b", "c"],
    wrapPlacer: (usual: Placer) => Placer = (usual) => usual,
    log: Logger = silentLog(),
  ) {
    this.replicas = [...replicas];
    const placer = new ImmediatePlacer(
      {
        replicas: () => this.replicas.map((id) => readyReplica(id, this.load.get(id) ?? 0)),
        describe: () => this.replicas.map((id) => `${id}: ready`).join(", ") || "no replica is known",
      },
      { loadFactor: 1.25, loadFloor: 4 },
    );
    const fleet: GroupFleet = {
      buildStarted: (id) => {
        this.load.set(id, (this.load.get(id) ?? 0) + 1);
        return () => void this.load.set(id, this.load.get(id)! - 1);
      },
      reportFailure: (id) => {
        this.reported.push(id);
        const at = this.replicas.indexOf(id);
        if (at >= 0) this.replicas.splice(at, 1);
      },
      locateBuild: async (buildRef) => {
        this.located.push(buildRef);
        return this.owners.get(buildRef);
      },
    };
    this.groups = new BuildGroups({
      placer: wrapPlacer(placer),
      fleet,
      clock: this.clock,
      log,
      keySources: KEY_SOURCES,
    });
  }

  /** A call with a name of its own, not opened yet. */
  call(name: string, kind: RoutedCall["kind"], client: RoutedClient): ScriptedCall {
    const call = new ScriptedCall(this, name, kind, client, this.#arrivals++);
    this.#calls.set(client, [...(this.#calls.get(client) ?? []), call]);
    return call;
  }

  session(client: RoutedClient, id: string, name = `session ${id}`, sharedKey?: string): ScriptedCall {
    const call = this.call(name, "session", client);
    this.groups.openSession(call, id, sharedKey);
    return call;
  }

  status(client: RoutedClient, buildRef: string, name = `status ${buildRef}`): ScriptedCall {
    const call = this.call(name, "status", client);
    this.groups.openStatus(call, buildRef);
    return call;
  }

  bridge(client: RoutedClient, buildRef: string, name = `bridge ${buildRef}`): ScriptedCall {
    const call = this.call(name, "bridge", client);
    this.groups.openBridge(call, buildRef);
    return call;
  }

  other(client: RoutedClient, name = "other"): ScriptedCall {
    const call = this.call(name, "other", client);
    this.groups.openOther(call);
    return call;
  }

  /** A Solve whose body comes with its headers. */
  solve(client: RoutedClient, request: SolveRequest, name = `solve ${request.buildRef}`): ScriptedCall {
    const call = this.call(name, "solve", client);
    this.groups.openSolve(call, request);
    return call;
  }

  /** The client's connection closes: each of its open calls ends, then the client. */
  gone(client: RoutedClient): void {
    for (const call of this.#calls.get(client) ?? []) call.end();
    this.#calls.delete(client);
    this.groups.clientGone(client);
  }

  /** Where a call was released to. */
  replicaOf(name: string): string | undefined {
    const line = this.journal.find((entry) => entry.startsWith(`${name} → `));
    return line?.slice(`${name} → `.length);
  }

  /** Builds counted in all. */
  get totalLoad(): number {
    return [...this.load.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** A call that notes what becomes of it and, like the data plane's, is over once it is answered. */
export class ScriptedCall implements RoutedCall {
  readonly kind: RoutedCall["kind"];
  readonly client: RoutedClient;
  readonly arrival: number;
  readonly name: string;
  isOpen = true;
  readonly #rig: RoutingRig;

  constructor(rig: RoutingRig, name: string, kind: RoutedCall["kind"], client: RoutedClient, arrival: number) {
    this.#rig = rig;
    this.name = name;
    this.kind = kind;
    this.client = client;
    this.arrival = arrival;
  }

  release(replicaId: string): void {
    this.#rig.journal.push(`${this.name} → ${replicaId}`);
  }

  fail(error: { kind: string; message: string }): void {
    if (!this.isOpen) return;
    this.#rig.journal.push(`${this.name} ✗ ${error.kind}`);
    this.#rig.messages.set(this.name, error.message);
    this.end();
  }

  /** It is over, however. */
  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#rig.groups.closed(this);
  }
}
