import type { Socket } from "node:net";
import { dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import type { BenchStream } from "./bench-connection.ts";
import { connectFast } from "./fast-socket.ts";
import { GeneratorConnection } from "./generator-connection.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { Load, LoadTarget } from "./load.ts";
import { BENCH_PATH, UNARY_MESSAGE_BYTES } from "./shapes.ts";

interface Call extends BenchStream {
  readonly startedMs: number;
  receivedBytes: number;
}

/** What all connections of one load share. */
interface Tally {
  calls: number;
  readonly latency: LatencyHistogram;
}

/** What is called in a loop. */
export interface UnaryMethod {
  readonly path: string;
  /** With its prefix. */
  readonly request: Buffer;
  /** With its prefix; absent: whatever the answer is, it will do. */
  readonly answerBytes?: number;
}

const ECHO: UnaryMethod = {
  path: BENCH_PATH.echo,
  request: grpcMessage(Buffer.alloc(UNARY_MESSAGE_BYTES - 5, 0x71)),
  answerBytes: UNARY_MESSAGE_BYTES,
};

/** Keeps `concurrency` calls open: each that ends starts the next. */
class UnaryConnection extends GeneratorConnection<Call> {
  readonly #concurrency: number;
  readonly #tally: Tally;
  readonly #method: UnaryMethod;
  #request: { readonly block: Buffer; readonly frames: Buffer } | undefined;
  #isStopping = false;
  #turnStartedMs = 0;

  constructor(socket: Socket, target: LoadTarget, concurrency: number, tally: Tally, method: UnaryMethod) {
    super(socket, method.path, target);
    this.#method = method;
    this.#concurrency = concurrency;
    this.#tally = tally;
  }

  override receive(bytes: Buffer, count: number): void {
    this.#turnStartedMs = performance.now();
    super.receive(bytes, count);
  }

  stop(): void {
    this.#isStopping = true;
    if (this.streams.size === 0) this.finish();
  }

  protected override onReady(): void {
    if (this.peerInitialWindowBytes < UNARY_MESSAGE_BYTES)
      this.fail("the peer's stream window is too small for a call");
    this.#fill();
  }

  protected override onWindow(): void {
    this.#fill();
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
    this.#tally.latency.add(this.#turnStartedMs - call.startedMs);
    if (!this.#isStopping) this.#fill();
    else if (this.streams.size === 0) this.finish();
  }

  protected override onData(call: Call, isEndStream: boolean, lengthBytes: number): void {
    call.receivedBytes += lengthBytes;
    if (isEndStream) this.fail("a call ended without trailers");
  }

  #fill(): void {
    const limit = Math.min(this.#concurrency, this.peerMaxStreams);
    while (!this.#isStopping && this.streams.size < limit && this.sendWindowBytes >= this.#method.request.length)
      this.#call();
  }

  #call(): void {
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
    this.streams.set(id, {
      id,
      sendWindowBytes: 0,
      ungrantedBytes: 0,
      startedMs: this.#turnStartedMs,
      receivedBytes: 0,
    });
  }
}

/** Start a closed loop of calls on `connections` connections with `concurrency` open calls each. */
export async function startUnaryLoad(
  target: LoadTarget,
  connections: number,
  concurrency: number,
  method: UnaryMethod = ECHO,
): Promise<Load> {
  const tally: Tally = { calls: 0, latency: new LatencyHistogram() };
  const started: UnaryConnection[] = [];
  for (let index = 0; index < connections; index++) {
    const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
    const connection = new UnaryConnection(socket, target, concurrency, tally, method);
    started.push(connection);
  }
  return {
    count: () => tally.calls,
    failure: () => started.find((connection) => connection.failure)?.failure,
    takeLatency() {
      const latency = { p50Us: tally.latency.percentileUs(0.5), p99Us: tally.latency.percentileUs(0.99) };
      tally.latency.clear();
      return latency;
    },
    async stop() {
      for (const connection of started) connection.stop();
      await Promise.all(started.map((connection) => connection.close()));
    },
  };
}
