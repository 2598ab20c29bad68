import { GatewayError } from "../base/errors.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { BuildGroup, type Member } from "./build-group.ts";
import type { BuildGroupsOptions } from "./build-groups-options.ts";
import { BuildKeys } from "./build-keys.ts";
import { refToken, sessionToken, solveTokens } from "./build-tokens.ts";
import type { TokenedCall } from "./calls-by-token.ts";
import { Clients } from "./client-builds.ts";
import { GroupLoad } from "./group-load.ts";
import { GroupMemory } from "./group-memory.ts";
import { reachReplica } from "./reach-replica.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** How long buildkitd itself waits for the build of a frontend call, and of a Status (control/gateway and solver of moby/buildkit). */
const BRIDGE_WAIT_MS = 3_000;
const STATUS_WAIT_MS = 6_000;

/** A Solve comes within milliseconds of the calls it belongs to: for a frontend's, replicas are not asked before this. */
const LOCATE_AFTER_MS = 100;

/** How long a Solve waits for its Session where only that may say what its cache is known by. */
const SESSION_WAIT_MS = 500;

/** What is held now, for tests and for whoever watches the gateway. */
export interface GroupCensus {
  readonly clients: number;
  /** Calls that belong to a group. */
  readonly calls: number;
  /** Calls that wait for their Solve. */
  readonly waiting: number;
  /** Refs and sessions that are remembered. */
  readonly tokens: number;
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
  readonly #clients = new Clients();
  readonly #groups = new Map<RoutedCall, BuildGroup>();
  readonly #waiting: WaitingCalls;
  readonly #memory = new GroupMemory();
  readonly #keys: BuildKeys;

  constructor(options: BuildGroupsOptions) {
    this.#options = options;
    this.#waiting = new WaitingCalls(options.clock, (client) => this.#clients.of(client).isSolving);
    this.#keys = new BuildKeys(options.keySources);
  }

  /** A Session. Without a Solve it stays for as long as its client likes, as at buildkitd. */
  openSession(call: RoutedCall, buildSession: string, sharedKey: string | undefined): void {
    if (buildSession === "") {
      this.openOther(call);
      return;
    }
    this.#keys.noteSession(buildSession, sharedKey);
    const token = sessionToken(buildSession);
    const group = this.#memory.find(token) ?? this.#boundGroup(call.client);
    if (!group) {
      this.#waiting.add(call, token);
      return;
    }
    this.#join(group, [{ call, token }]);
    this.#placeIfUnplaced(group);
  }

  /** A call of a build's frontend. Where no Solve comes, a replica says so, in its own words. */
  openBridge(call: RoutedCall, buildRef: string): void {
    const token = refToken(buildRef);
    const group = this.#memory.find(token);
    if (group) this.#join(group, [{ call, token }]);
    else this.#seek(call, buildRef, BRIDGE_WAIT_MS);
  }

  /** Progress of a build: of one that is about to be solved here, or of any that a replica knows. */
  openStatus(call: RoutedCall, buildRef: string): void {
    const token = refToken(buildRef);
    const group = this.#memory.find(token);
    // That a build failed here is its own client's to hear; for others a replica may have a record of it.
    const isOthers = group?.state.t === "failed" && !group.hasServed(call.client);
    if (group && !isOthers) this.#join(group, [{ call, token }]);
    else this.#seek(call, buildRef, STATUS_WAIT_MS);
  }

  /** Any other call: to the client's replica, to one it has talked to, else to any that can be reached. */
  openOther(call: RoutedCall): void {
    const { home } = this.#clients.of(call.client);
    if (home !== undefined) {
      call.release(home);
      return;
    }
    const group = this.#newGroup();
    this.#join(group, [{ call, token: "" }]);
    this.#placeIfUnplaced(group);
  }

  /** Wait for the Solve that names this build; where none comes, go to whoever has the build, else to any replica. */
  #seek(call: RoutedCall, buildRef: string, waitMs: number): void {
    if (buildRef === "") {
      this.openOther(call);
      return;
    }
    const giveUp = () => {
      if (this.#waiting.remove(call)) this.openOther(call);
    };
    this.#waiting.add(call, refToken(buildRef));
    // A Status alone is common (`history logs`) and waits for nothing; a frontend's call has its Solve close by.
    if (call.kind === "status" && !this.#clients.of(call.client).isSolving) {
      this.#waiting.afterWaiting(call, waitMs, giveUp);
      this.#goToOwner(call, buildRef);
      return;
    }
    this.#waiting.afterWaiting(call, LOCATE_AFTER_MS, () => {
      this.#waiting.afterWaiting(call, waitMs - LOCATE_AFTER_MS, giveUp);
      this.#goToOwner(call, buildRef);
    });
  }

  /** Ask the replicas who has a build, and send the call there unless its Solve has come meanwhile. */
  #goToOwner(call: RoutedCall, buildRef: string): void {
    this.#options.fleet.locateBuild(buildRef).then(
      (owner) => {
        if (owner === undefined || !this.#waiting.remove(call)) return;
        this.#join(this.#groupAt(owner), [{ call, token: refToken(buildRef) }]);
      },
      (error: unknown) => this.#options.log.debug({ err: error, buildRef }, "build not located"),
    );
  }

  /** The headers of a Solve have come; its body is being read. Until {@link solveArrived}, its like are waited for. */
  solveArriving(client: RoutedClient): void {
    this.#clients.of(client).arrivingSolves++;
  }

  /** The body of an announced Solve has been read, or will not come. */
  solveArrived(client: RoutedClient): void {
    this.#clients.of(client).arrivingSolves--;
  }

  /** A Solve that has been read. */
  openSolve(call: RoutedCall, solve: SolveRequest): void {
    const tokens = solveTokens(solve);
    const known = this.#groupFor(call.client, tokens, solve.isInternal);
    const group = known ?? this.#newGroup();
    this.#memory.name(group, tokens);
    const early = this.#waiting.take(tokens);
    if (!solve.isInternal) early.push(...this.#followGroup(group, call.client));
    this.#join(group, [{ call, token: tokens[0]!, solve }, ...early]);
    if (known) return;
    if (!solve.isInternal && this.#keys.needsSession(solve)) {
      this.#options.clock.after(SESSION_WAIT_MS, () => this.#placeIfUnplaced(group));
    } else {
      this.#placeIfUnplaced(group);
    }
  }

  /** The group a Solve belongs to: by ref, by session, by what its client is doing. */
  #groupFor(client: RoutedClient, tokens: readonly string[], isInternal: boolean): BuildGroup | undefined {
    for (const token of tokens) {
      const known = this.#memory.find(token);
      if (known) return known;
    }
    return (isInternal ? undefined : this.#clients.of(client).placing) ?? this.#boundGroup(client);
  }

  /** A group of its own at the replica that the client's builds follow. */
  #boundGroup(client: RoutedClient): BuildGroup | undefined {
    const { liveBinding } = this.#clients.of(client);
    return liveBinding === undefined ? undefined : this.#groupAt(liveBinding);
  }

  /** A client's build that is not internal belongs to `group`: its later builds do too, or follow the group's replica. */
  #followGroup(group: BuildGroup, client: RoutedClient): TokenedCall[] {
    if (group.state.t === "placed") return this.#bind(client, group.state.replicaId);
    if (group.isUnsettled) this.#clients.of(client).joinTo(group);
    return [];
  }

  /**
   * The client's builds follow this replica, unless they follow one already.
   * Returns its Sessions that no Solve has named (a bake's shared one): they go
   * there too.
   */
  #bind(client: RoutedClient, replicaId: string): TokenedCall[] {
    const builds = this.#clients.of(client);
    if (builds.liveBinding !== undefined) return [];
    builds.binding = replicaId;
    return this.#waiting.takeSessionsOf(client);
  }

  #placeIfUnplaced(group: BuildGroup): void {
    if (group.state.t === "unplaced" && group.leader) void this.#place(group, group.leader);
  }

  /** Find a replica for the group through the connection of its leader's client. */
  async #place(group: BuildGroup, { call: { client }, solve }: Member): Promise<void> {
    const { placer, fleet, log } = this.#options;
    try {
      const key = solve && this.#keys.keyOf(solve);
      const outcome = await reachReplica(group, {
        placer,
        reportFailure: (id, reason) => fleet.reportFailure(id, reason),
        client,
        purpose: solve === undefined ? "call" : solve.isInternal ? "internal" : "build",
        key,
        follow: this.#clients.of(client).binding,
      });
      if (outcome.t === "aborted") return;
      if (outcome.t === "refused") {
        group.failed(outcome.error);
        return;
      }
      const { replicaId, reason } = outcome;
      if (solve) log.debug({ buildRef: solve.buildRef, key, replica: replicaId, reason }, "build placed");
      this.#placed(group, replicaId);
    } catch (error) {
      log.error({ err: error }, "placing failed");
      group.failed(new GatewayError("internal", "placing the build failed", { cause: error }));
    }
  }

  #placed(group: BuildGroup, replicaId: string): void {
    for (const { call, solve } of group.held) {
      this.#clients.of(call.client).visited = replicaId;
      if (solve && !solve.isInternal) this.#join(group, this.#bind(call.client, replicaId));
    }
    group.placed(replicaId);
  }

  /** The replica that ran a Solve is gone: its build has failed, for every call that comes later too. */
  buildLost(call: RoutedCall, error: GatewayError): void {
    const group = this.#groups.get(call);
    if (!group) return;
    const builds = this.#clients.of(call.client);
    if (group.state.t === "placed" && group.state.replicaId === builds.binding) builds.binding = undefined;
    // Calls that ended before are forgotten with the group; those that come now belong to the failed one.
    group.failed(error);
  }

  /** A call has ended, however. */
  closed(call: RoutedCall): void {
    this.#waiting.remove(call);
    const group = this.#groups.get(call);
    if (!group) return;
    this.#groups.delete(call);
    group.left(call);
    if (group.isIdle) this.#memory.retire(group);
    else this.#placeIfUnplaced(group);
  }

  /** A client's connection is gone, and all its calls with it. */
  clientGone(client: RoutedClient): void {
    this.#clients.forget(client);
  }

  get census(): GroupCensus {
    return {
      clients: this.#clients.size,
      calls: this.#groups.size,
      waiting: this.#waiting.size,
      tokens: this.#memory.size,
    };
  }

  #join(group: BuildGroup, members: readonly Member[]): void {
    for (const { call, token } of members) {
      this.#groups.set(call, group);
      if (token !== "") this.#memory.name(group, [token]);
      if (group.state.t === "placed") this.#clients.of(call.client).visited = group.state.replicaId;
    }
    group.join(members);
  }

  #newGroup(): BuildGroup {
    return new BuildGroup(new GroupLoad((replicaId) => this.#options.fleet.buildStarted(replicaId)));
  }

  /** A group of its own for a call that goes to a known replica. */
  #groupAt(replicaId: string): BuildGroup {
    const group = this.#newGroup();
    group.placed(replicaId);
    return group;
  }
}
