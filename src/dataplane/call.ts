import type { Cancel } from "../base/clock.ts";
import { GatewayError } from "../base/errors.ts";
import { frameMessage } from "../buildkit/grpc-message.ts";
import { ErrorCode } from "../http2/errors.ts";
import { errorTrailers, okTrailers, responseHeaders } from "../http2/grpc-status.ts";
import type { HeaderField } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { CallEnding, CallOutcome, MovedBytes, RoutedCall } from "../routing/routed-call.ts";
import { BRIDGE_RETURN, type RpcKind } from "../routing/rpc-table.ts";
import { endOfReset, endOfTrailers, outcomeOfError } from "./call-end.ts";
import type { CallOptions, CallOwner } from "./call-options.ts";
import type { CallState } from "./call-state.ts";
import { HeldBody } from "./held-body.ts";
import { isSuccess, statusHeaders, trailersOf } from "./response-fields.ts";
import { DropPreface, DropSettingsAck, sessionPreface, TunnelFilter } from "./session-tunnel.ts";
import type { Stream, StreamReceiver } from "./stream.ts";
import { UpstreamSide } from "./upstream-side.ts";

/**
 * One call of a client's: held, then joined to a stream of a replica's, or
 * answered by the gateway itself.
 *
 * Joined, payload passes from connection to connection without coming here;
 * what does come here is headers, resets, windows, and payload that a window
 * or a filter holds up.
 */
export class Call implements RoutedCall, StreamReceiver {
  readonly kind: RpcKind;
  readonly path: string;
  readonly client: CallOwner;
  readonly arrival: number;
  readonly openedMs: number;
  readonly stream: Stream;
  readonly fields: readonly HeaderField[];
  sentFields: readonly HeaderField[];
  /** A call whose body says where it belongs, has been read, and that the router knows. */
  isRouted = false;
  /** The replica it was joined to; empty before. */
  replicaId = "";
  #outcome: CallOutcome | undefined;
  #end: CallEnding | undefined;
  #caller: Caller | undefined;
  #state: CallState;
  /** Where the replica's answer comes from, also when it is over. */
  #upstream: Stream | undefined;
  /** Stops what runs while the call is held. */
  #cancelHold: Cancel | undefined;
  /** The gateway has begun the inner connection of a held Session in the replica's place. */
  #hasBegunSession = false;
  #filterUp: TunnelFilter | undefined;
  #filterDown: TunnelFilter | undefined;

  constructor(options: CallOptions) {
    const { kind, path, owner, arrival, stream, fields, sentFields } = options;
    this.kind = kind;
    this.path = path;
    this.client = owner;
    this.arrival = arrival;
    this.openedMs = owner.clock.nowMs();
    this.stream = stream;
    this.fields = fields;
    this.sentFields = sentFields;
    this.#state = { t: "held", body: new HeldBody(options.held), isEnded: false };
    stream.receiver = this;
  }

  /** The body so far, while the call is held. */
  get heldBody(): HeldBody | undefined {
    return this.#state.t === "held" ? this.#state.body : undefined;
  }

  get outcome(): CallOutcome | undefined {
    return this.#outcome;
  }

  get ending(): CallEnding | undefined {
    return this.#end;
  }

  get caller(): Caller {
    this.#caller ??= this.client.callerOf(this.fields);
    return this.#caller;
  }

  get moved(): MovedBytes {
    return { receivedBytes: this.stream.receivedBytes, sentBytes: this.#upstream?.receivedBytes ?? 0 };
  }

  /** The client has ended its direction before the call was joined. */
  get isHeldEnded(): boolean {
    return this.#state.t === "held" && this.#state.isEnded;
  }

  /** Stop this when the call is no longer held. One at a time. */
  set whileHeld(cancel: Cancel) {
    this.#cancelHold = cancel;
  }

  /** Keep a held Session's client: its side of the inner connection wants a preface within 10 s. */
  beginSession(): void {
    if (this.#state.t !== "held" || this.#hasBegunSession) return;
    this.#hasBegunSession = true;
    this.stream.sendHeaders(responseHeaders(), false);
    this.stream.sendData(sessionPreface(), false);
  }

  release(replicaId: string): void {
    if (this.#state.t === "held") this.client.releaseCall(this, replicaId);
  }

  /** Join the call to a new stream of its replica's. */
  join(upstream: Stream, replicaId: string): void {
    const state = this.#state;
    if (state.t !== "held") return;
    this.#stopHold();
    const body = state.body.take();
    this.#state = { t: "joined", upstream };
    this.#upstream = upstream;
    this.replicaId = replicaId;
    upstream.receiver = new UpstreamSide(this, upstream);
    upstream.sendHeaders(this.sentFields, state.isEnded && body.length === 0);
    if (this.#hasBegunSession) {
      this.#filterUp = new TunnelFilter(new DropSettingsAck());
      this.#filterDown = new TunnelFilter(new DropPreface());
    } else {
      this.stream.partner = upstream;
    }
    if (body.length > 0) this.data(body, state.isEnded);
    this.writable();
    this.upstreamWritable(upstream);
  }

  fail(error: GatewayError, isAlone: boolean): void {
    this.#outcome ??= outcomeOfError(error);
    if (isAlone) this.#respond(errorTrailers(error));
    else if (this.kind === "status" || this.kind === "session") this.finish();
    else if (this.path === BRIDGE_RETURN) this.answer(Buffer.alloc(0));
    else this.#respond(errorTrailers(error));
  }

  finish(): void {
    this.#respond(okTrailers());
  }

  show(statusResponse: Uint8Array): void {
    if (this.#state.t !== "held") return;
    if (!this.stream.hasSentHeaders) this.stream.sendHeaders(statusHeaders(this.client.clock.wallTime()), false);
    this.stream.sendData(frameMessage(statusResponse), false);
  }

  get isBehind(): boolean {
    return this.stream.queuedBytes > 0;
  }

  answer(message: Uint8Array): void {
    if (!this.stream.hasSentHeaders) {
      this.stream.sendHeaders(responseHeaders(), false);
      this.stream.sendData(frameMessage(message), false);
    }
    this.#respond(okTrailers());
  }

  #respond(trailers: readonly HeaderField[]): void {
    const { stream } = this;
    const state = this.#state;
    if (state.t === "closed" || state.t === "answered") return;
    this.#end ??= endOfTrailers(trailers, "gateway");
    this.#stopHold();
    if (state.t === "held") state.body.take();
    if (state.t === "joined") state.upstream.reset(ErrorCode.CANCEL);
    this.#state = { t: "answered" };
    stream.sendHeaders(stream.hasSentHeaders ? trailers : [...responseHeaders(), ...trailers], true);
    // The answer is whole: a client that has not sent the rest need not (RFC 9113 §8.1).
    if (state.t !== "held" || !state.isEnded) stream.resetWhenSent(ErrorCode.NO_ERROR);
  }

  headers(fields: readonly HeaderField[], isEndOfStream: boolean): void {
    if (this.#state.t === "joined") this.#state.upstream.sendHeaders(fields, isEndOfStream);
    // Trailers of a request that is still held: gRPC has none, so only their end matters.
    else this.data(Buffer.alloc(0), isEndOfStream);
  }

  data(bytes: Buffer, isEndOfStream: boolean): void {
    const state = this.#state;
    if (state.t === "joined") {
      this.#sendUp(state.upstream, bytes, isEndOfStream);
    } else if (state.t === "held") {
      state.isEnded ||= isEndOfStream;
      try {
        if (bytes.length > 0) state.body.add(bytes);
        this.client.heldDataCame(this);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        this.client.callRefused(this, error);
      }
    }
  }

  #sendUp(upstream: Stream, bytes: Buffer, isEndOfStream: boolean): void {
    if (!this.#filterUp) {
      upstream.sendData(bytes, isEndOfStream);
      this.stream.connection.congestion.stopReadingFor(upstream.connection);
      return;
    }
    upstream.sendData(this.#filterUp.push(bytes, isEndOfStream), isEndOfStream);
    if (this.#filterUp.isDone) {
      this.#filterUp = undefined;
      this.stream.partner = upstream;
    }
    this.upstreamWritable(upstream);
  }

  /** Payload of the replica's that could not pass at once. */
  sendDown(upstream: Stream, bytes: Buffer, isEndOfStream: boolean): void {
    if (!this.#filterDown) {
      this.stream.sendData(bytes, isEndOfStream);
      upstream.connection.congestion.stopReadingFor(this.stream.connection);
      return;
    }
    this.stream.sendData(this.#filterDown.push(bytes, isEndOfStream), isEndOfStream);
    if (this.#filterDown.isDone) {
      this.#filterDown = undefined;
      upstream.partner = this.stream;
    }
    this.writable();
  }

  /** A header list of the replica's. */
  headersDown(fields: readonly HeaderField[], isEndOfStream: boolean): void {
    if (isEndOfStream) {
      this.#outcome ??= isSuccess(fields) ? "succeeded" : "failed";
      this.#end ??= endOfTrailers(fields, this.kind === "facade" ? "gateway" : "replica");
    }
    if (!this.stream.hasSentHeaders || fields[0]?.name !== ":status") this.stream.sendHeaders(fields, isEndOfStream);
    // Where the gateway has begun the response, the replica's own beginning is not news, only its end.
    else if (isEndOfStream) this.stream.sendHeaders(trailersOf(fields), true);
    // From here on the replica's payload need not be looked at.
    if (this.#state.t === "joined" && this.#state.upstream.hasReceivedHeaders && !this.#filterDown) {
      this.#state.upstream.partner = this.stream;
    }
  }

  /** The client takes more: let the replica send as much more. */
  writable(): void {
    if (this.#state.t !== "joined") return;
    const { upstream } = this.#state;
    upstream.grant(this.stream.sendWindow - this.stream.queuedBytes - upstream.receiveWindow);
  }

  /** The replica takes more: let the client send as much more. */
  upstreamWritable(upstream: Stream): void {
    this.stream.grant(upstream.sendWindow - upstream.queuedBytes - this.stream.receiveWindow);
  }

  reset(code: number): void {
    this.#outcome ??= "cancelled";
    this.#end ??= endOfReset(code, "client");
    if (this.#state.t === "joined") this.#state.upstream.reset(code);
  }

  lost(): void {
    this.reset(ErrorCode.CANCEL);
  }

  /** The replica ended the stream with RST_STREAM. */
  upstreamReset(code: number): void {
    this.#outcome ??= "failed";
    this.#end ??= endOfReset(code, "replica");
    // NO_ERROR follows a whole answer, some of which may still wait for the client's window (RFC 9113 §8.1).
    if (code === ErrorCode.NO_ERROR) this.stream.resetWhenSent(code);
    else this.stream.reset(code);
  }

  /** The replica's connection is gone, or its answer cannot be taken. */
  upstreamLost(error: Error): void {
    if (error instanceof GatewayError) this.fail(error, false);
    else this.client.callLost(this, error);
  }

  closed(): void {
    const state = this.#state;
    if (state.t === "closed") return;
    this.#stopHold();
    if (state.t === "held") state.body.take();
    this.#state = { t: "closed" };
    this.client.callClosed(this);
  }

  #stopHold(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
  }
}
