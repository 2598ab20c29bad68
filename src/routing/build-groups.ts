import type { Cancel } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import type { SolveRequest } from "../buildkit/solve-request.ts";
import { BuildGroup, type Member } from "./build-group.ts";
import type { BuildGroupsOptions } from "./build-groups-options.ts";
import { BuildKeys } from "./build-keys.ts";
import { refToken, sessionToken, solveTokens } from "./build-tokens.ts";
import type { TokenedCall } from "./calls-by-token.ts";
import { Clients } from "./client-builds.ts";
import { ContentCalls } from "./content-calls.ts";
import type { GroupCensus } from "./group-census.ts";
import { GroupLoad } from "./group-load.ts";
import { GroupMemory } from "./group-memory.ts";
import { Holding } from "./holding.ts";
import { describeReason } from "./placement-reason.ts";
import { reachReplica } from "./reach-replica.ts";
import type { RoutedCall, RoutedClient } from "./routed-call.ts";
import type { Router } from "./router.ts";
import { fairTurn, RunningBuilds } from "./running-build.ts";
import { UnclaimedCalls } from "./unclaimed-calls.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** How long a Solve waits for its Session where only that may say what its cache is known by. */
const SESSION_WAIT_MS = 500;

/**
 * Keeps what belongs to one build on one replica.
 *
 * Solve, Status, Session and LLBBridge arrive in any order, and only Solve
 * names both ref and session. Whoever comes early waits; when the Solve has
 * been read its group is placed, and then all go to the same replica in the
 * order they came.
 */
export class BuildGroups implements Router {
  readonly straightTo = undefined;
  readonly #options: BuildGroupsOptions;
  readonly #clients = new Clients();
  readonly #groups = new Map<RoutedCall, BuildGroup>();
  readonly #waiting: WaitingCalls;
  readonly #memory = new GroupMemory();
  readonly #unclaimed: UnclaimedCalls;
  readonly #content: ContentCalls;
  readonly #keys: BuildKeys;
  /** Groups that are not placed yet, since their Sessions may say what their caches are known by. */
  readonly #awaitingSession = new Map<BuildGroup, Cancel>();
  readonly #running: RunningBuilds;

  constructor(options: BuildGroupsOptions) {
    this.#options = options;
    this.#waiting = new WaitingCalls(options.clock, (client) => this.#clients.of(client).isSolving);
    this.#unclaimed = new UnclaimedCalls({
      waiting: this.#waiting,
      fleet: options.fleet,
      log: options.log,
      sendTo: (call, buildRef, id) => this.#join(this.#groupAt(id), [{ call, token: refToken(buildRef) }]),
      sendAnywhere: (call) => this.openOther(call),
    });
    this.#content = new ContentCalls({
      fleet: options.fleet,
      log: options.log,
      bindingOf: ({ client }) => this.#clients.of(client).liveBinding,
      sendTo: (call, id) => this.#join(this.#groupAt(id), [{ call, token: "" }]),
      sendAnywhere: (call) => this.openOther(call),
    });
    this.#keys = new BuildKeys(options.keySources);
    this.#running = new RunningBuilds(options, this.#keys);
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
    const { solve } = group.leader ?? {};
    if (!solve || !this.#keys.needsSession(solve, call.caller)) this.#stopAwaiting(group);
    this.#placeIfUnplaced(group);
  }

  /** A call of a build's frontend. Where no Solve comes, a replica says so, in its own words. */
  openBridge(call: RoutedCall, buildRef: string): void {
    const token = refToken(buildRef);
    const group = this.#memory.find(token);
    if (group) this.#join(group, [{ call, token }]);
    else this.#seek(call, buildRef);
  }

  /** Progress of a build: of one that is about to be solved here, or of any that a replica knows. */
  openStatus(call: RoutedCall, buildRef: string): void {
    const token = refToken(buildRef);
    const group = this.#memory.find(token);
    // That a build failed here is its own client's to hear; for others a replica may have a record of it.
    const isOthers = group?.state.t === "failed" && !group.hasServed(call.client);
    if (group && !isOthers) this.#join(group, [{ call, token }]);
    else this.#seek(call, buildRef);
  }

  #seek(call: RoutedCall, buildRef: string): void {
    if (buildRef === "") this.openOther(call);
    else this.#unclaimed.seek(call, buildRef, this.#clients.of(call.client).isSolving);
  }

  /** A call for content, whose body has been read. */
  openContent(call: RoutedCall, digest: string): void {
    this.#content.open(call, digest);
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
    if (!solve.isInternal && this.#keys.needsSession(solve, call.caller)) this.#awaitSession(group);
    else this.#placeIfUnplaced(group);
  }

  /** Place the group when its Session has come, which alone may say its key, or has not come in time. */
  #awaitSession(group: BuildGroup): void {
    const giveUp = () => {
      this.#awaitingSession.delete(group);
      this.#placeIfUnplaced(group);
    };
    this.#awaitingSession.set(group, this.#options.clock.after(SESSION_WAIT_MS, giveUp));
  }

  /** It waits for its Session no longer. */
  #stopAwaiting(group: BuildGroup): void {
    this.#awaitingSession.get(group)?.();
    this.#awaitingSession.delete(group);
  }

  /** The group a Solve belongs to: by ref, by session, by what its client is doing. */
  #groupFor(client: RoutedClient, tokens: readonly string[], isInternal: boolean): BuildGroup | undefined {
    for (const token of tokens) {
      const known = this.#memory.find(token);
      if (known && known.state.t !== "answered") return known;
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
    if (this.#awaitingSession.has(group)) return;
    if (group.state.t === "unplaced" && group.leader) void this.#place(group, group.leader);
  }

  /** Find a replica for the group through the connection of its leader's client. */
  async #place(group: BuildGroup, { call, solve }: Member): Promise<void> {
    const { placer, fleet, log, policy } = this.#options;
    const { client } = call;
    try {
      const key = solve && this.#keys.keyOf(solve, call.caller);
      const outcome = await reachReplica(group, {
        placer,
        reportFailure: (id, reason) => fleet.reportFailure(id, reason),
        client,
        purpose: solve === undefined ? "call" : solve.isInternal ? "internal" : "build",
        key,
        ...fairTurn(key, call, policy),
        follow: this.#clients.of(client).binding,
      });
      if (outcome.t === "aborted") return;
      if (outcome.t === "refused") {
        group.failed(outcome.error);
        return;
      }
      const { replicaId, reason } = outcome;
      if (solve) log.debug({ buildRef: solve.buildRef, key, replica: replicaId, reason: reason.t }, "build placed");
      if (reason.t !== "followed") this.#running.placed(call, reason);
      this.#placed(group, replicaId, reason.t === "followed" ? undefined : describeReason(reason, key));
    } catch (error) {
      log.error({ err: error }, "placing failed");
      group.failed(new GatewayError("internal", "placing the build failed", { cause: error }));
    }
  }

  #placed(group: BuildGroup, replicaId: string, because: string | undefined): void {
    for (const { call, solve } of group.held) {
      this.#clients.of(call.client).visited = replicaId;
      if (solve && !solve.isInternal) this.#join(group, this.#bind(call.client, replicaId));
    }
    group.placed(replicaId, because);
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
    this.#content.closed(call);
    const group = this.#groups.get(call);
    if (!group) return;
    this.#groups.delete(call);
    group.left(call);
    if (!group.isUnsettled) this.#stopAwaiting(group);
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
      waiting: this.#waiting.size + this.#content.size,
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
    return new BuildGroup(new GroupLoad(this.#running), new Holding(this.#options));
  }

  /** A group of its own for a call that goes to a known replica. */
  #groupAt(replicaId: string): BuildGroup {
    const group = this.#newGroup();
    group.placed(replicaId);
    return group;
  }
}
