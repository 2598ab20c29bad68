import { type ServiceError, status } from "@grpc/grpc-js";
import type { Cancel, Clock } from "../base/clock.ts";
import { failureText } from "../buildkit/call-failure.ts";
import type { Rpc } from "../buildkit/replica-channel.ts";
import type { ReplicaClient } from "../buildkit/replica-client.ts";
import type { Fleet } from "../replicas/fleet.ts";
import type { Replica } from "../replicas/replica.ts";
import { type MissingReplica, surveyReplicas } from "../replicas/replica-survey.ts";

/** What questions to several replicas need of the fleet. */
export type AskedFleet = Pick<Fleet, "replicas" | "client" | "dial" | "onChange">;

/**
 * How a replica's part has ended other than well: it could not say all, discovery
 * has dropped it and it cannot be followed any more, or it has said no in its own words.
 */
export type PartFailure =
  | { readonly t: "missing"; readonly missing: MissingReplica }
  | { readonly t: "gone" }
  | { readonly t: "refused"; readonly error: ServiceError };

/** A part that the replica could not make whole. */
type PartLoss = Exclude<PartFailure, { readonly t: "refused" }>;

/** What one replica has answered to a call. */
export type PartAnswer = { readonly t: "answered"; readonly bytes: Buffer } | PartFailure;

/** How the stream of one replica has ended. */
export type PartEnd = { readonly t: "ended" } | PartFailure;

/** One question to several replicas. */
export interface FanOutOptions {
  readonly fleet: AskedFleet;
  readonly clock: Clock;
  /** Fires when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /**
   * `own`: a connection for this question alone, since answers that are read
   * slowly hold up whatever shares one. `shared`: the fleet's, for small ones.
   */
  readonly connections: "own" | "shared";
  /** Only these, where they can be asked. Absent: all. */
  readonly only?: readonly string[];
}

/** Asks several replicas at once. Each has its part, which ends when the replica is lost. Whoever opened it closes it. */
export class FanOut {
  readonly parts: readonly Part[];
  /** Replicas that could not be asked. */
  readonly missing: readonly MissingReplica[];
  readonly #cancel: Cancel;
  readonly #signal: AbortSignal;
  readonly #close = (): void => this.close();

  constructor({ fleet, clock, signal, connections, only }: FanOutOptions) {
    const { asked, missing } = surveyReplicas(fleet);
    const isMeant = ({ id }: { id: string }) => only === undefined || only.includes(id);
    this.parts = asked.filter(isMeant).flatMap(({ id, client }) => {
      const isOwn = connections === "own" || !client;
      const asking = isOwn ? fleet.dial(id) : client;
      const isCurrent = () => isOwn || fleet.client(id) === asking;
      return asking ? [new Part({ id, client: asking, isOwn, isCurrent, clock })] : [];
    });
    this.missing = missing.filter(isMeant);
    this.#cancel = fleet.onChange((replica) => {
      const part = this.parts.find(({ id }) => id === replica.id);
      const loss = lossOf(replica, fleet);
      if (loss) part?.lose(loss);
    });
    this.#signal = signal;
    signal.addEventListener("abort", this.#close);
    if (signal.aborted) this.close();
  }

  /** End all calls and the connections that were made for them. Any number of times. */
  close(): void {
    this.#cancel();
    this.#signal.removeEventListener("abort", this.#close);
    for (const part of this.parts) part.close();
  }
}

/** How a replica is asked. */
interface PartOptions {
  readonly id: string;
  readonly client: ReplicaClient;
  /** The connection was made for this part, which closes it. */
  readonly isOwn: boolean;
  /** False once the fleet has closed the connection that it shared. */
  readonly isCurrent: () => boolean;
  readonly clock: Clock;
}

/** A replica that is asked. */
export class Part {
  readonly id: string;
  readonly #options: PartOptions;
  readonly #ending = new AbortController();
  #loss: PartLoss | undefined;

  constructor(options: PartOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** The replica cannot answer any more. */
  lose(loss: PartLoss): void {
    this.#loss ??= loss;
    this.close();
  }

  close(): void {
    const { client, isOwn } = this.#options;
    this.#ending.abort();
    if (isOwn) client.close();
  }

  /** Make one call. Never rejects. */
  async call(rpc: Rpc, request: Buffer, timeoutMs: number): Promise<PartAnswer> {
    const cancelTimer = this.#loseAfter(timeoutMs);
    try {
      return { t: "answered", bytes: await this.#options.client.call(rpc, request, { signal: this.#ending.signal }) };
    } catch (error) {
      return this.#failure(error as ServiceError);
    } finally {
      cancelTimer();
    }
  }

  /**
   * Make a call that is answered by a stream, and read it no faster than it is
   * taken. `idleTimeoutMs`: time that the replica has for each next message;
   * absent, it has as long as it is well.
   */
  async *stream(rpc: Rpc, request: Buffer, idleTimeoutMs?: number): AsyncGenerator<Buffer, PartEnd, undefined> {
    const messages = this.#options.client.stream(rpc, request, { signal: this.#ending.signal });
    // A stream that is left before its end still reports that it was cancelled.
    messages.on("error", () => {});
    const iterator: AsyncIterator<Buffer> = messages[Symbol.asyncIterator]();
    try {
      for (;;) {
        const cancelTimer = idleTimeoutMs === undefined ? undefined : this.#loseAfter(idleTimeoutMs);
        const next = await iterator.next().finally(cancelTimer);
        if (next.done) return this.#loss ?? { t: "ended" };
        yield next.value;
      }
    } catch (error) {
      return this.#failure(error as ServiceError);
    } finally {
      messages.cancel();
    }
  }

  #loseAfter(timeoutMs: number): Cancel {
    return this.#options.clock.after(timeoutMs, () => this.lose(missing(this.id, `no answer in ${timeoutMs} ms`)));
  }

  #failure(error: ServiceError): PartFailure {
    if (this.#loss) return this.#loss;
    // Nobody listens there, or the daemon is ending: it has not answered the question.
    if (error.code === status.UNAVAILABLE) return missing(this.id, failureText(error, 0));
    // Health checks have given up the connection, as when a client has lost its own. It was not the replica that cancelled.
    if (error.code === status.CANCELLED && !this.#options.isCurrent()) {
      return missing(this.id, "the connection to it was made anew");
    }
    return { t: "refused", error };
  }
}

function missing(id: string, reason: string): PartLoss {
  return { t: "missing", missing: { id, reason } };
}

function lossOf({ id, state }: Replica, fleet: AskedFleet): PartLoss | undefined {
  if (state.t === "ejected") return missing(id, state.reason);
  if (state.t === "connecting") return missing(id, "another daemon is being looked for at its address");
  return state.t === "gone" && !fleet.client(id) ? { t: "gone" } : undefined;
}
