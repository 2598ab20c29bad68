import type { Cancel, Clock } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { affinityKey, type KeySource } from "./affinity-key.ts";
import { BuildGroup } from "./build-group.ts";
import { refToken, sessionToken, solveTokens } from "./build-tokens.ts";
import { GroupMemory } from "./group-memory.ts";
import type { Placer } from "./placer.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** How long buildkitd itself waits for the build of a frontend call, and of a Status (control/gateway and solver of moby/buildkit). */
const BRIDGE_WAIT_MS = 3_000;
const STATUS_WAIT_MS = 6_000;

/** What groups need of the fleet. */
export interface GroupFleet {
  /** A build is being sent to a replica; call the result when it has ended. */
  buildStarted(replicaId: string): Cancel;
  /** A replica could not be reached. */
  reportFailure(replicaId: string, reason: string): void;
  /** Which replica knows a build, whoever placed it. */
  locateBuild(buildRef: string): Promise<string | undefined>;
}

/** What groups are made of. */
export interface BuildGroupsOptions {
  readonly placer: Placer;
  readonly fleet: GroupFleet;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where affinity keys come from, in order. */
  readonly keySources: readonly KeySource[];
}

/** What is known of a client. */
interface ClientState {
  /** The replica its builds follow: where its first build that is not internal was placed. */
  binding: string | undefined;
  /** The replica that its last call was placed on, of whatever kind. */
  visited: string | undefined;
  /** The group that will decide the binding. */
  placing: BuildGroup | undefined;
  /** Solves whose bodies are still arriving. */
  arrivingSolves: number;
}

/** What is kept with an open call that belongs to a group. */
interface CallState {
  readonly group: BuildGroup;
  /** A Solve's ref and session: what ends with it when it is cancelled. */
  readonly ownTokens: readonly string[];
  /** It is a Solve that counts as a build. */
  readonly isBuild: boolean;
  /** Takes the build off its replica's load. */
  endBuild: Cancel | undefined;
}

/**
 * Keeps what belongs to one build on one replica.
 *
 * Solve, Status, Session and LLBBridge arrive in any order, and only Solve
 * names both ref and session. Whoever comes early waits; when the Solve has
 * been read its group is placed, and then all go to the same replica in the
 * order they came.
 */
export class BuildGroups {
  readonly #options: BuildGroupsOptions;
  readonly #clients = new Map<RoutedClient, ClientState>();
  readonly #calls = new Map<RoutedCall, CallState>();
  readonly #waiting: WaitingCalls;
  readonly #memory = new GroupMemory();

  constructor(options: BuildGroupsOptions) {
    this.#options = options;
    this.#waiting = new WaitingCalls(options.clock);
  }

  /** A Session. Without a Solve it stays for as long as its client likes, as at buildkitd. */
  openSession(call: RoutedCall, buildSession: string, sharedKey: string | undefined): void {
    this.#memory.noteSharedKey(sessionToken(buildSession), sharedKey);
    this.#openEarly(call, sessionToken(buildSession));
  }

  /** A call of a build's frontend. Where no Solve comes, a replica says so, in its own words. */
  openBridge(call: RoutedCall, buildRef: string): void {
    if (this.#openEarly(call, refToken(buildRef))) this.#routeAnywhereUnlessSolved(call, BRIDGE_WAIT_MS);
  }

  /** Progress of a build: of one that is about to be solved here, or of any that a replica knows. */
  openStatus(call: RoutedCall, buildRef: string): void {
    const token = refToken(buildRef);
    if (!this.#openEarly(call, token)) return;
    this.#routeAnywhereUnlessSolved(call, STATUS_WAIT_MS);
    this.#options.fleet.locateBuild(buildRef).then(
      (replicaId) => {
        if (replicaId !== undefined && this.#waiting.remove(call)) this.#join(this.#at(replicaId), call, token);
      },
      (error: unknown) => this.#options.log.debug({ err: error, buildRef }, "build not located"),
    );
  }

  /** Any other call: to the client's replica, to one it has talked to, else to any that can be reached. */
  openOther(call: RoutedCall): void {
    const { binding, visited } = this.#client(call.client);
    for (const replicaId of [binding, visited]) {
      if (replicaId === undefined || !call.client.isConnected(replicaId)) continue;
      call.release(replicaId);
      return;
    }
    const group = newGroup();
    this.#join(group, call, "");
    void this.#place(group, call.client, undefined);
  }

  /** Join a known group or the client's replica; else wait for a Solve, which is `true`. */
  #openEarly(call: RoutedCall, token: string): boolean {
    const binding = this.#liveBinding(call.client);
    const group = this.#memory.find(token) ?? (binding === undefined ? undefined : this.#at(binding));
    if (!group) {
      this.#waiting.add(call, token);
      return true;
    }
    this.#memory.name(group, [token]);
    this.#join(group, call, token);
    return false;
  }

  #routeAnywhereUnlessSolved(call: RoutedCall, delayMs: number): void {
    this.#waiting.expire(call, delayMs, () => {
      const { arrivingSolves, placing } = this.#client(call.client);
      if (arrivingSolves > 0 || placing) this.#routeAnywhereUnlessSolved(call, delayMs);
      else if (this.#waiting.remove(call)) this.openOther(call);
    });
  }

  /** The headers of a Solve have come; its body is being read. Until {@link solveArrived}, its like are waited for. */
  solveArriving(client: RoutedClient): void {
    this.#client(client).arrivingSolves++;
  }

  /** The body of an announced Solve has been read, or will not come. */
  solveArrived(client: RoutedClient): void {
    this.#client(client).arrivingSolves--;
  }

  /** A Solve that has been read. */
  openSolve(call: RoutedCall, solve: SolveRequest): void {
    const tokens = solveTokens(solve);
    const known = this.#groupOf(call.client, tokens, solve.isInternal);
    const group = known ?? newGroup();
    this.#memory.name(group, tokens);
    const state = { group, ownTokens: tokens.slice(0, 2), isBuild: !solve.isInternal, endBuild: undefined };
    this.#calls.set(call, state);
    if (group.state.t === "placed") this.#countBuilds(group, group.state.replicaId);
    group.join({ call, token: tokens[0]! });
    for (const early of this.#waiting.take(tokens)) this.#join(group, early.call, early.token);
    if (known) return;
    if (!solve.isInternal) this.#client(call.client).placing = group;
    void this.#place(group, call.client, solve);
  }

  /** The group a Solve belongs to: by ref, by session, by what its client is doing. */
  #groupOf(routedClient: RoutedClient, tokens: readonly string[], isInternal: boolean): BuildGroup | undefined {
    for (const token of tokens) {
      const known = this.#memory.find(token);
      if (known) return known;
    }
    const { placing } = this.#client(routedClient);
    if (placing && !isInternal) return placing;
    const binding = this.#liveBinding(routedClient);
    return binding === undefined ? undefined : this.#at(binding);
  }

  /** Find a replica that can be reached, and let the group go there. No byte of it has been sent before. */
  async #place(group: BuildGroup, routedClient: RoutedClient, solve: SolveRequest | undefined): Promise<void> {
    if (group.state.t !== "placing") return;
    const { placer, fleet, log } = this.#options;
    const { signal } = group.state.abort;
    const client = this.#client(routedClient);
    const excluded = new Set<string>();
    const key = solve && this.#affinityKey(solve);
    let preferred = client.binding;
    try {
      while (!signal.aborted) {
        const outcome = preferred === undefined ? await placer.place({ key, excluded }, signal) : follow(preferred);
        preferred = undefined;
        if (signal.aborted) break;
        if (outcome.t === "refused") {
          group.failed(outcome.error);
          break;
        }
        const { replicaId, reason } = outcome;
        this.#countBuilds(group, replicaId);
        const connected = await routedClient.connect(replicaId);
        if (signal.aborted) break;
        if (connected.t === "connected") {
          if (solve) log.debug({ buildRef: solve.buildRef, key, replica: replicaId, reason }, "build placed");
          this.#placed(group, replicaId, routedClient, solve);
          break;
        }
        this.#uncountBuilds(group);
        fleet.reportFailure(replicaId, connected.reason);
        excluded.add(replicaId);
      }
    } catch (error) {
      log.error({ err: error }, "placing failed");
      group.failed(new GatewayError("internal", "placing the build failed", { cause: error }));
    } finally {
      if (client.placing === group) client.placing = undefined;
    }
  }

  #placed(group: BuildGroup, replicaId: string, routedClient: RoutedClient, solve: SolveRequest | undefined): void {
    group.placed(replicaId);
    const client = this.#client(routedClient);
    client.visited = replicaId;
    if (!solve || solve.isInternal) return;
    client.binding = replicaId;
    // A session that no Solve has named yet (a bake's shared one) follows its client.
    for (const { call, token } of this.#waiting.takeOf(routedClient)) {
      this.#memory.name(group, [token]);
      this.#join(group, call, token);
    }
  }

  /** The replica that ran a Solve is gone: its build has failed, for every call that comes later too. */
  buildLost(call: RoutedCall, error: GatewayError): void {
    const state = this.#calls.get(call);
    if (!state) return;
    const client = this.#client(call.client);
    if (state.group.state.t === "placed" && state.group.state.replicaId === client.binding) client.binding = undefined;
    // Calls that ended before are forgotten with the group; those that come now belong to the failed one.
    state.group.failed(error);
  }

  /** A call has ended, however. */
  closed(call: RoutedCall): void {
    this.#waiting.remove(call);
    const state = this.#calls.get(call);
    if (!state) return;
    this.#calls.delete(call);
    state.endBuild?.();
    state.group.left(call, state.ownTokens);
    if (state.group.isIdle) this.#memory.retire(state.group);
  }

  /** A client's connection is gone, and all its calls with it. */
  clientGone(client: RoutedClient): void {
    this.#clients.delete(client);
  }

  #join(group: BuildGroup, call: RoutedCall, token: string): void {
    this.#calls.set(call, { group, ownTokens: [], isBuild: false, endBuild: undefined });
    group.join({ call, token });
  }

  /** A group of its own for a call that goes to a known replica. */
  #at(replicaId: string): BuildGroup {
    return new BuildGroup({ t: "placed", replicaId });
  }

  #countBuilds(group: BuildGroup, replicaId: string): void {
    for (const state of this.#calls.values()) {
      if (state.group === group && state.isBuild) state.endBuild ??= this.#options.fleet.buildStarted(replicaId);
    }
  }

  #uncountBuilds(group: BuildGroup): void {
    for (const state of this.#calls.values()) {
      if (state.group !== group) continue;
      state.endBuild?.();
      state.endBuild = undefined;
    }
  }

  #affinityKey(solve: SolveRequest): string | undefined {
    const sharedKey = this.#memory.sharedKey(sessionToken(solve.buildSession));
    return affinityKey({ attrs: solve.attrs, imageNames: solve.imageNames, sharedKey }, this.#options.keySources);
  }

  #liveBinding(client: RoutedClient): string | undefined {
    const { binding } = this.#client(client);
    return binding !== undefined && client.isConnected(binding) ? binding : undefined;
  }

  #client(client: RoutedClient): ClientState {
    let state = this.#clients.get(client);
    if (!state) {
      state = { binding: undefined, visited: undefined, placing: undefined, arrivingSolves: 0 };
      this.#clients.set(client, state);
    }
    return state;
  }
}

function newGroup(): BuildGroup {
  return new BuildGroup({ t: "placing", abort: new AbortController() });
}

function follow(replicaId: string): { t: "placed"; replicaId: string; reason: "preferred" } {
  return { t: "placed", replicaId, reason: "preferred" };
}
