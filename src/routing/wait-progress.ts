import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import type { GatewayError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { lineMessage, type ShownVertex, statusMessage } from "../buildkit/status-message.ts";
import type { ProgressMode } from "./build-groups-options.ts";
import type { Waiting } from "./placer.ts";
import type { RoutedCall } from "./routed-call.ts";

const VERTEX_NAME = "[gateway] waiting for a replica";

/** Longest line and error: both may hold what a client sent. */
const MAX_LINE_CHARACTERS = 200;
const MAX_ERROR_CHARACTERS = 1_000;

/** Life of the step that users see. */
type ShownState =
  | { readonly t: "hidden" }
  | {
      readonly t: "shown";
      readonly vertex: ShownVertex;
      readonly sinceMs: number;
      readonly line: string;
      /** What was last said, to tell a change by. */
      readonly said: Waiting;
    }
  /** Placed; whoever has not been shown where is told with this. */
  | { readonly t: "over"; readonly message: Buffer };

/**
 * Shows the users of one group that it waits: one step in their builds'
 * progress, with a line for each change.
 *
 * One step for all: clients tell by its digest that two targets of a bake wait
 * for the same, and print its lines once.
 */
export class WaitProgress {
  readonly #clock: Clock;
  readonly #mode: ProgressMode;
  readonly #statuses = new Set<RoutedCall>();
  #state: ShownState = { t: "hidden" };

  constructor(clock: Clock, mode: ProgressMode) {
    this.#clock = clock;
    this.#mode = mode;
  }

  /** A Status is held; where there is something to see, it is shown as it is now. */
  add(status: RoutedCall): void {
    const state = this.#state;
    if (state.t === "over") {
      status.show(state.message);
      return;
    }
    this.#statuses.add(status);
    if (state.t === "shown") status.show(statusMessage(state.vertex, this.#line(state.line)));
  }

  /** A call has ended. */
  remove(call: RoutedCall): void {
    this.#statuses.delete(call);
  }

  /** The group has to wait, or something of what is said has changed. */
  waits(waiting: Waiting): void {
    const state = this.#state;
    if (this.#mode === "off" || state.t === "over") return;
    if (state.t === "shown" && saysTheSame(state.said, waiting)) return;
    const nowMs = this.#clock.nowMs();
    const sinceMs = state.t === "shown" ? state.sinceMs : nowMs;
    const line = waitingLine(waiting, nowMs - sinceMs);
    const vertex = state.t === "shown" ? state.vertex : this.#newVertex();
    this.#state = { t: "shown", vertex, sinceMs, line, said: waiting };
    if (state.t === "hidden") this.#show(statusMessage(vertex, this.#line(line)));
    else this.#showLine(lineMessage(vertex.digest, this.#line(line)));
  }

  /** The group has its replica. */
  placed(replicaId: string, because: string | undefined): void {
    const isAlways = this.#mode === "always";
    const wasShown = this.#state.t === "shown";
    const message = this.#lastMessage(`running on ${replicaId}${because === undefined ? "" : ` (${because})`}`);
    if (wasShown || isAlways) this.#show(message);
    this.#statuses.clear();
    this.#state = isAlways ? { t: "over", message } : { t: "hidden" };
  }

  /** The group will not run. */
  failed(error: GatewayError): void {
    // Clients say themselves that a build was cancelled.
    if (this.#state.t === "shown" && error.kind !== "cancelled") {
      this.#show(this.#lastMessage(undefined, printable(error.message, MAX_ERROR_CHARACTERS)));
    }
    this.#statuses.clear();
    this.#state = { t: "hidden" };
  }

  #lastMessage(line: string | undefined, error?: string): Buffer {
    const vertex = this.#state.t === "shown" ? this.#state.vertex : this.#newVertex();
    const completed = { ...vertex, completedAt: this.#clock.wallTime(), ...(error !== undefined && { error }) };
    return statusMessage(completed, line === undefined ? undefined : this.#line(line));
  }

  #newVertex(): ShownVertex {
    const digest = `sha256:${randomBytes(32).toString("hex")}`;
    return { digest, name: VERTEX_NAME, startedAt: this.#clock.wallTime() };
  }

  #line(text: string) {
    return { text: printable(text, MAX_LINE_CHARACTERS), at: this.#clock.wallTime() };
  }

  #show(message: Buffer): void {
    for (const status of this.#statuses) status.show(message);
  }

  /** A client that does not read is spared what the next line makes old. */
  #showLine(message: Buffer): void {
    for (const status of this.#statuses) if (!status.isBehind) status.show(message);
  }
}

/** Builds that come behind it change nothing for a user. */
function saysTheSame(said: Waiting, { position, cause }: Waiting): boolean {
  return said.position === position && said.cause === cause;
}

function waitingLine({ position, length, cause }: Waiting, waitedMs: number): string {
  const waited = formatDuration(Math.floor(waitedMs / 1_000) * 1_000);
  return `position ${position} of ${length} in the queue, waited ${waited}: ${cause}`;
}
