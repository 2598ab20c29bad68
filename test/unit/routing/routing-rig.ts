import { GatewayError } from "../../../src/base/errors.ts";
import { type Logger, silentLog } from "../../../src/base/log.ts";
import type { SolveRequest } from "../../../src/buildkit/solve-request.ts";
import type { HeaderField } from "../../../src/http2/header-field.ts";
import { type Caller, UNKNOWN_CALLER } from "../../../src/identity/caller.ts";
import { KEY_SOURCES } from "../../../src/routing/affinity-key.ts";
import { BuildGroups } from "../../../src/routing/build-groups.ts";
import type {
  BuildGroupsOptions,
  BuildOwner,
  GroupFleet,
  ProgressMode,
} from "../../../src/routing/build-groups-options.ts";
import type { PlacementOutcome, PlacementRequest, Placer } from "../../../src/routing/placer.ts";
import { rankIds } from "../../../src/routing/rendezvous.ts";
import type {
  CallEnding,
  CallOutcome,
  ConnectOutcome,
  RoutedCall,
  RoutedClient,
} from "../../../src/routing/routed-call.ts";
import { BRIDGE_PING, BRIDGE_RETURN } from "../../../src/routing/rpc-table.ts";
import type { BuildEnd } from "../../../src/routing/running-build.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { GatedPlacer } from "../../support/gated-placer.ts";
import { describeStatus } from "../../support/shown-status.ts";

/** What a Solve says, with what a test does not care for filled in. */
export function solve(buildRef: string, parts: Partial<SolveRequest> = {}): SolveRequest {
  return {
    buildRef,
    buildSession: `session-of-${buildRef}`,
    inputSessions: [],
    isInternal: false,
    isFrontendless: true,
    attrs: new Map([["vcs:source", "https://github.com/acme/app.git"]]),
    imageNames: [],
    entitlements: [],
    ...parts,
  };
}

/** What a client sends before each build, to learn what the daemon can do. */
export function probe(buildRef: string): SolveRequest {
  return solve(buildRef, { isInternal: true, attrs: new Map() });
}

/** Let everything run that waits for nothing but its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A client connection whose ways to replicas a test decides on. */
export class ScriptedClient implements RoutedClient {
  readonly host: string;
  readonly connected = new Set<string>();
  /** Replicas that were asked for, in order. */
  readonly connects: string[] = [];
  readonly #unreachable = new Map<string, string>();
  #pending: ((outcome: ConnectOutcome) => void)[] | undefined;

  /** Who makes its calls. */
  readonly caller: Caller;

  constructor(host = "10.0.0.1", caller: Caller = UNKNOWN_CALLER) {
    this.host = host;
    this.caller = caller;
  }

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

/**
 * Places at once, by the key's order or where least runs. While no replica is
 * left, builds wait until {@link changed}, and calls of no build are refused.
 */
class RigPlacer implements Placer {
  readonly #rig: RoutingRig;
  readonly #retries = new Set<() => void>();

  constructor(rig: RoutingRig) {
    this.#rig = rig;
  }

  place(request: PlacementRequest, signal: AbortSignal): Promise<PlacementOutcome> {
    return new Promise((resolve) => {
      const attempt = () => {
        const outcome = this.#attempt(request);
        if (outcome) {
          this.#retries.delete(attempt);
          resolve(outcome);
        }
      };
      this.#retries.add(attempt);
      signal.addEventListener("abort", () => this.#retries.delete(attempt));
      attempt();
      queueMicrotask(() => {
        const waiting = { position: 1, length: this.#retries.size, cause: "no replica takes builds" };
        if (this.#retries.has(attempt)) request.onWaiting(waiting);
      });
    });
  }

  #attempt({ key, purpose, excluded, onChosen }: PlacementRequest): PlacementOutcome | undefined {
    const { refusal, replicas, load } = this.#rig;
    if (refusal) return { t: "refused", error: refusal };
    const candidates = replicas.filter((id) => !excluded.has(id));
    const byLoad = candidates.toSorted((one, other) => (load.get(one) ?? 0) - (load.get(other) ?? 0));
    const replicaId = (key === undefined ? byLoad : rankIds(key, candidates))[0];
    if (replicaId !== undefined) {
      onChosen(replicaId);
      return { t: "placed", replicaId, reason: { t: key === undefined ? "least loaded" : "preferred" } };
    }
    if (purpose !== "call") return undefined;
    return { t: "refused", error: new GatewayError("no_replica", "no replica takes builds: no replica is known") };
  }

  /** There may be a replica for those that wait. */
  changed(): void {
    for (const attempt of [...this.#retries]) attempt();
  }

  buildStarted(fairKey: string): () => void {
    const { running } = this.#rig;
    running.set(fairKey, (running.get(fairKey) ?? 0) + 1);
    return () => void running.set(fairKey, running.get(fairKey)! - 1);
  }
}

/** What builds may be refused with. */
export const QUEUE_FULL = new GatewayError("queue_full", "queue full: 1000 builds wait (queue.builds)");

/** A placer with a defect. */
export function brokenPlacer(usual: Placer): Placer {
  return {
    place: () => Promise.reject(new Error("boom")),
    buildStarted: (fairKey) => usual.buildStarted(fairKey),
  };
}

/** What a rig may be asked for. */
export interface RoutingRigOptions {
  readonly wrapPlacer?: (usual: Placer) => Placer;
  readonly log?: Logger;
  /** Default: `off`, so that a journal has what became of calls and nothing else. */
  readonly progress?: ProgressMode;
  readonly observeBuild?: BuildGroupsOptions["observeBuild"];
}

/** A rig whose builds are held until the test opens its gate. */
export function gatedRig(
  replicas: readonly string[],
  options: RoutingRigOptions = {},
): { rig: RoutingRig; gate: GatedPlacer } {
  let gate: GatedPlacer | undefined;
  const wrapPlacer = (usual: Placer): Placer => {
    gate = new GatedPlacer(usual);
    return gate;
  };
  const rig = new RoutingRig(replicas, { ...options, wrapPlacer });
  return { rig, gate: gate! };
}

/** Groups in front of a fleet, a clock and clients that a test scripts, and a journal of what came of each call. */
export class RoutingRig {
  readonly clock = new FakeClock();
  /**
   * `solve → a`: released to replica a. `status ✗ no_replica`: failed. `ping = pong`: answered; `status = ok`: ended
   * well. `status: line "…"`: was shown this. In the order it happened.
   */
  readonly journal: string[] = [];
  /** What each failed call was told. */
  readonly messages = new Map<string, string>();
  /** Builds counted on each replica. */
  readonly load = new Map<string, number>();
  /** Builds counted of each fair key. */
  readonly running = new Map<string, number>();
  /** Who is known to have content, by its digest. */
  readonly contentOwners = new Map<string, readonly string[]>();
  /** What asking all replicas for content comes to, by its digest. */
  readonly contentFound = new Map<string, string | GatewayError>();
  /** `github.com/acme/app @ a`: a build that warmed a. */
  readonly warmth: string[] = [];
  /** What every build is refused with. */
  refusal: GatewayError | undefined;
  /** What a replica answers to Ping. */
  pong: Buffer | undefined = Buffer.from("pong");
  /** Replicas reported as not reachable. */
  readonly reported: string[] = [];
  /** Builds that have ended, in order. */
  readonly ended: BuildEnd[] = [];
  /** Builds and content that replicas were asked for. */
  readonly located: string[] = [];
  /** Which replica has a build of nobody's here, or why that cannot be said. */
  readonly owners = new Map<string, BuildOwner>();
  readonly groups: BuildGroups;
  readonly replicas: string[];
  readonly #placer: RigPlacer;
  readonly #calls = new Map<ScriptedClient, ScriptedCall[]>();
  #arrivals = 0;

  constructor(replicas: readonly string[] = ["a", "b", "c"], options: RoutingRigOptions = {}) {
    const { wrapPlacer = (usual) => usual, log = silentLog(), progress = "off", observeBuild } = options;
    this.replicas = [...replicas];
    this.#placer = new RigPlacer(this);
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
      contentOwners: (digest) => this.contentOwners.get(digest) ?? [],
      locateContent: (digest) => {
        this.located.push(digest);
        return Promise.resolve(this.contentFound.get(digest));
      },
    };
    this.groups = new BuildGroups({
      placer: wrapPlacer(this.#placer),
      fleet,
      warmth: {
        built: (key, replicaId) => void this.warmth.push(`${key} @ ${replicaId}`),
      },
      pong: () => this.pong,
      clock: this.clock,
      log,
      keySources: KEY_SOURCES,
      progress,
      onBuildEnded: (build) => this.ended.push(build),
      ...(observeBuild && { observeBuild }),
    });
  }

  /** A replica is there from now on, for builds that wait too. */
  addReplica(id: string): void {
    this.replicas.push(id);
    this.#placer.changed();
  }

  /** A call with a name of its own, not opened yet. */
  call(name: string, kind: RoutedCall["kind"], client: ScriptedClient, path = `/${kind}`): ScriptedCall {
    const call = new ScriptedCall(this, name, kind, client, this.#arrivals++, path);
    this.#calls.set(client, [...(this.#calls.get(client) ?? []), call]);
    return call;
  }

  session(client: ScriptedClient, id: string, name = `session ${id}`, sharedKey?: string): ScriptedCall {
    const call = this.call(name, "session", client);
    this.groups.openSession(call, id, sharedKey);
    return call;
  }

  status(client: ScriptedClient, buildRef: string, name = `status ${buildRef}`): ScriptedCall {
    const call = this.call(name, "status", client);
    this.groups.openStatus(call, buildRef);
    return call;
  }

  bridge(client: ScriptedClient, buildRef: string, name = `bridge ${buildRef}`, path?: string): ScriptedCall {
    const call = this.call(name, "bridge", client, path);
    this.groups.openBridge(call, buildRef);
    return call;
  }

  ping(client: ScriptedClient, buildRef: string, name = "ping"): ScriptedCall {
    return this.bridge(client, buildRef, name, BRIDGE_PING);
  }

  /** The call that ends a client's frontend. */
  returned(client: ScriptedClient, buildRef: string, name = "return"): ScriptedCall {
    return this.bridge(client, buildRef, name, BRIDGE_RETURN);
  }

  other(client: ScriptedClient, name = "other", path?: string): ScriptedCall {
    const call = this.call(name, "other", client, path);
    this.groups.openOther(call);
    return call;
  }

  /** A call for content whose body comes with its headers. */
  content(client: ScriptedClient, digest: string, name = `content ${digest}`): ScriptedCall {
    const call = this.call(name, "content", client);
    this.groups.openContent(call, digest);
    return call;
  }

  /** A Solve whose body comes with its headers. */
  solve(client: ScriptedClient, request: SolveRequest, name = `solve ${request.buildRef}`): ScriptedCall {
    const call = this.call(name, "solve", client);
    this.groups.openSolve(call, request);
    return call;
  }

  /** The client's connection closes: each of its open calls ends, then the client. */
  gone(client: ScriptedClient): void {
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
  ending: CallEnding | undefined;
  readonly openedMs: number;
  fields: readonly HeaderField[] = [];
  sentFields: readonly HeaderField[] = [];
  readonly kind: RoutedCall["kind"];
  readonly client: ScriptedClient;
  readonly arrival: number;
  readonly name: string;
  readonly path: string;
  isOpen = true;
  isBehind = false;
  outcome: CallOutcome | undefined;
  replicaId = "";
  moved = { receivedBytes: 0, sentBytes: 0 };
  readonly #rig: RoutingRig;

  constructor(
    rig: RoutingRig,
    name: string,
    kind: RoutedCall["kind"],
    client: ScriptedClient,
    arrival: number,
    path: string,
  ) {
    this.#rig = rig;
    this.name = name;
    this.kind = kind;
    this.client = client;
    this.arrival = arrival;
    this.path = path;
    this.openedMs = rig.clock.nowMs();
  }

  get caller(): Caller {
    return this.client.caller;
  }

  release(replicaId: string): void {
    if (!this.isOpen || this.replicaId !== "") return;
    this.replicaId = replicaId;
    this.#rig.journal.push(`${this.name} → ${replicaId}`);
  }

  show(statusResponse: Uint8Array): void {
    if (!this.isOpen || this.replicaId !== "") return;
    this.#rig.journal.push(...describeStatus(statusResponse).map((words) => `${this.name}: ${words}`));
  }

  answer(message: Uint8Array): void {
    if (!this.isOpen) return;
    this.#rig.journal.push(`${this.name} = ${Buffer.from(message).toString() || "empty"}`);
    this.end();
  }

  finish(): void {
    if (!this.isOpen) return;
    this.#rig.journal.push(`${this.name} = ok`);
    this.end();
  }

  /** Its replica answers it well. */
  succeed(): void {
    this.outcome = "succeeded";
    this.end();
  }

  fail(error: { kind: string; message: string }): void {
    if (!this.isOpen) return;
    this.outcome ??= error.kind === "cancelled" ? "cancelled" : "refused";
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
