import type { Socket } from "node:net";
import { dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import type { BenchStream } from "./bench-connection.ts";
import { GeneratorConnection } from "./generator-connection.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { Latency, LoadTarget } from "./load.ts";
import { BENCH_PATH, UNARY_MESSAGE_BYTES } from "./shapes.ts";

interface Call extends BenchStream {
  readonly startedMs: number;
  receivedBytes: number;
}

/** What all connections of one load share. */
export class CallTally {
  calls = 0;
  readonly latency = new LatencyHistogram();

  /** Of the calls since it was last asked. */
  takeLatency(): Latency {
    const latency = { p50Us: this.latency.percentileUs(0.5), p99Us: this.latency.percentileUs(0.99) };
    this.latency.clear();
    return latency;
  }
}

/** What is called in a loop. */
export interface UnaryMethod {
  readonly path: string;
  /** With its prefix. */
  readonly request: Buffer;
  /** With its prefix; absent: whatever the answer is, it will do. */
  readonly answerBytes?: number;
}

/** The benchmark's own small call. */
export const ECHO: UnaryMethod = {
  path: BENCH_PATH.echo,
  request: grpcMessage(Buffer.alloc(UNARY_MESSAGE_BYTES - 5, 0x71)),
  answerBytes: UNARY_MESSAGE_BYTES,
};

/** A connection that makes calls of one method; when, is its subclasses'. */
export abstract class CallConnection extends GeneratorConnection<Call> {
  readonly #tally: CallTally;
  readonly #method: UnaryMethod;
  #request: { readonly block: Buffer; readonly frames: Buffer } | undefined;
  #isStopping = false;
  /** When this turn of the event loop began for the connection: what ends in it ended then. */
  protected turnStartedMs = 0;

  protected constructor(socket: Socket, target: LoadTarget, tally: CallTally, method: UnaryMethod) {
    super(socket, method.path, target);
    this.#method = method;
    this.#tally = tally;
  }

  override receive(bytes: Buffer, count: number): void {
    this.turnStartedMs = performance.now();
    super.receive(bytes, count);
  }

  /** Start no more calls; those that are open end. */
  stop(): void {
    this.#isStopping = true;
    if (this.streams.size === 0) this.finish();
  }

  /** Another call would be sent at once. */
  protected get hasRoom(): boolean {
    return (
      !this.#isStopping &&
      this.streams.size < this.peerMaxStreams &&
      this.sendWindowBytes >= this.#method.request.length
    );
  }

  /** A call has ended well, or a window has grown. */
  protected abstract onRoom(): void;

  protected override onReady(): void {
    if (this.peerInitialWindowBytes < UNARY_MESSAGE_BYTES)
      this.fail("the peer's stream window is too small for a call");
    this.onRoom();
  }

  protected override onWindow(): void {
    this.onRoom();
  }

  protected override onHeaders(streamId: number, isEndStream: boolean): void {
    if (!isEndStream) return;
    const call = this.streams.get(streamId);
    const received = call?.receivedBytes ?? 0;
    if (!call || received === 0 || received !== (this.#method.answerBytes ?? received)) {
      this.fail(`a call ended with ${received} bytes`);
      return;
    }
    this.streams.delete(streamId);
    this.#tally.calls++;
    this.#tally.latency.add(this.turnStartedMs - call.startedMs);
    if (!this.#isStopping) this.onRoom();
    else if (this.streams.size === 0) this.finish();
  }

  protected override onData(call: Call, isEndStream: boolean, lengthBytes: number): void {
    call.receivedBytes += lengthBytes;
    if (isEndStream) this.fail("a call ended without trailers");
  }

  /** Put a call into the next write; its latency counts from `startedMs`. */
  protected call(startedMs: number): void {
    const id = this.newStreamId();
    const block = this.requestBlock();
    if (this.#request?.block !== block) {
      this.#request = {
        block,
        frames: Buffer.concat([headersFrame(0, block), dataFrame(0, this.#method.request, true)]),
      };
    }
    const at = this.append(this.#request.frames);
    this.setStreamId(at, id);
    this.setStreamId(at + this.#request.frames.length - this.#method.request.length - 9, id);
    this.sendWindowBytes -= this.#method.request.length;
    this.streams.set(id, { id, sendWindowBytes: 0, ungrantedBytes: 0, startedMs, receivedBytes: 0 });
  }
}
