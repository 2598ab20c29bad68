import { GatewayError } from "../base/errors.ts";
import type { Member } from "./build-group.ts";
import type { BuildGroupsOptions } from "./build-groups-options.ts";
import { refToken } from "./build-tokens.ts";
import type { Waiting } from "./placer.ts";
import type { RoutedCall } from "./routed-call.ts";
import { BRIDGE_PING, BRIDGE_RETURN } from "./rpc-table.ts";
import { WaitProgress } from "./wait-progress.ts";

/** What holding a group needs. */
export type HoldingOptions = Pick<BuildGroupsOptions, "clock" | "progress" | "pong">;

/** What a probe calls as a frontend. */
const PROBE_CALLS: ReadonlySet<string> = new Set([BRIDGE_PING, BRIDGE_RETURN]);

/** A message of any type, with nothing in it. */
const NO_FIELDS = Buffer.alloc(0);

/**
 * Serves the clients of one group while it waits for a replica: shows them
 * that it does, answers their Pings, and knows a capability probe, which needs
 * no replica.
 *
 * A probe is an internal Solve without frontend and definition on which
 * nothing but Ping and Return is called. buildx makes one before each build,
 * and shows its user nothing until it has been answered.
 */
export class Holding {
  readonly #options: HoldingOptions;
  readonly #progress: WaitProgress;
  /** Refs of Solves that are not internal: whose progress users see. */
  readonly #shownRefs = new Set<string>();
  /** Those of them that have had a Status. */
  readonly #toldRefs = new Set<string>();
  readonly #pings = new Set<RoutedCall>();
  #isWaiting = false;
  #isProbe = true;
  #hasReturned = false;

  constructor(options: HoldingOptions) {
    this.#options = options;
    this.#progress = new WaitProgress(options.clock, options.progress);
  }

  /** Nothing is left to do for it: it is a probe that waits, and its client has ended it. */
  get isAnswerable(): boolean {
    return this.#isWaiting && this.#isProbe && this.#hasReturned;
  }

  /** A call of the group is held. A Solve before what belongs to it. */
  add({ call, token, solve }: Member): void {
    if (solve) {
      this.#isProbe &&= solve.isInternal && solve.isFrontendless;
      if (!solve.isInternal) this.#shownRefs.add(refToken(solve.buildRef));
    } else if (call.kind === "status") {
      if (this.#shownRefs.has(token)) this.#tell(call, token);
    } else if (call.path === BRIDGE_PING) {
      this.#pings.add(call);
      if (this.#isWaiting) this.#answerPings();
    } else if (call.path === BRIDGE_RETURN) {
      this.#hasReturned = true;
    } else if (call.kind === "bridge") {
      this.#isProbe = false;
    }
  }

  /** A call comes that need not be held. */
  addLate({ call, token }: Member): void {
    // Whoever asks for a build's progress again has seen it.
    const isNews = this.#shownRefs.has(token) && !this.#toldRefs.has(token);
    if (call.kind === "status" && isNews) this.#tell(call, token);
  }

  /** A call has ended. */
  remove(call: RoutedCall): void {
    this.#progress.remove(call);
    this.#pings.delete(call);
  }

  /** The group has to wait, or something of what is said has changed. */
  waits(waiting: Waiting): void {
    this.#isWaiting = true;
    this.#progress.waits(waiting);
    this.#answerPings();
  }

  /** A replica has been chosen: it answers what comes now. */
  chosen(): void {
    this.#isWaiting = false;
  }

  /** The group is about to be released. `because`: why to this replica, for people. */
  placed(replicaId: string, because: string | undefined): void {
    this.#progress.placed(replicaId, because);
  }

  /** The group is about to be answered with this. */
  failed(error: GatewayError): void {
    this.#progress.failed(error);
  }

  /** Answer a call of a probe in a replica's place. */
  answer(call: RoutedCall): void {
    const message = call.path === BRIDGE_PING ? this.#options.pong() : NO_FIELDS;
    if (call.kind === "status" || call.kind === "session") call.finish();
    else if (message && (call.kind === "solve" || PROBE_CALLS.has(call.path))) call.answer(message);
    else call.fail(new GatewayError("invalid_request", "the build's frontend has returned"), true);
  }

  #tell(status: RoutedCall, token: string): void {
    this.#toldRefs.add(token);
    this.#progress.add(status);
  }

  #answerPings(): void {
    const pong = this.#options.pong();
    if (!pong) return;
    for (const ping of [...this.#pings]) {
      this.#pings.delete(ping);
      ping.answer(pong);
    }
  }
}
