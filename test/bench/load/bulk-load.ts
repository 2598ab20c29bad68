import type { Socket } from "node:net";
import { dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";
import type { Field } from "../../support/raw-http2/hpack-encoder.ts";
import type { BenchStream } from "./bench-connection.ts";
import { BulkSender, endOfStream } from "./bulk-sender.ts";
import { connectFast } from "./fast-socket.ts";
import { GeneratorConnection } from "./generator-connection.ts";
import type { Load, LoadTarget } from "./load.ts";
import { BENCH_PATH, BYTES_TRAILER } from "./shapes.ts";

/** The way of the bytes, seen from the client. */
export type Direction = "up" | "down";

/** One stream, one direction, until stopped; then it checks that nothing was lost on the way. */
class BulkConnection extends GeneratorConnection<BenchStream> {
  readonly #direction: Direction;
  readonly #decoder = new PlainHpackDecoder();
  readonly #headerBlocks: Field[][] = [];
  #stream: BenchStream | undefined;
  #sender: BulkSender | undefined;
  #isStopping = false;
  receivedBytes = 0;

  constructor(socket: Socket, target: LoadTarget, direction: Direction) {
    super(socket, BENCH_PATH[direction], target);
    this.#direction = direction;
  }

  stop(): void {
    this.#isStopping = true;
    this.#sender?.finish();
    if (this.#direction === "down" && this.#stream) this.append(endOfStream(this.#stream.id));
    this.flush();
  }

  protected override onReady(): void {
    const id = this.newStreamId();
    const stream = { id, sendWindowBytes: this.peerInitialWindowBytes, ungrantedBytes: 0 };
    this.#stream = stream;
    this.streams.set(id, stream);
    this.append(headersFrame(id, this.requestBlock()));
    if (this.#direction === "up") {
      this.#sender = new BulkSender(this, stream, () => {
        this.append(endOfStream(id));
        this.flush();
      });
      this.#sender.pump();
      return;
    }
    const start = grpcMessage(Buffer.alloc(0));
    stream.sendWindowBytes -= start.length;
    this.sendWindowBytes -= start.length;
    this.append(dataFrame(id, start));
  }

  protected override onHeaders(_streamId: number, isEndStream: boolean, block: Buffer): void {
    this.#headerBlocks.push(this.#decoder.decode(block));
    if (isEndStream) this.#ended();
  }

  protected override onData(_stream: BenchStream, isEndStream: boolean, lengthBytes: number): void {
    this.receivedBytes += lengthBytes;
    if (isEndStream) this.fail("the stream ended without trailers");
  }

  protected override onWindow(): void {
    this.#sender?.pump();
  }

  #ended(): void {
    const problem = this.#problem();
    if (problem) this.fail(problem);
    else this.finish();
  }

  #problem(): string | undefined {
    const trailers = new Map(this.#headerBlocks.at(-1));
    const status = trailers.get("grpc-status");
    if (status !== "0") return `grpc-status ${status}: ${trailers.get("grpc-message")}`;
    if (!this.#isStopping || this.#headerBlocks.length !== 2) return "the stream ended by itself";
    const ownBytes = this.#sender?.sentBytes ?? this.receivedBytes;
    const peerBytes = Number(trailers.get(BYTES_TRAILER));
    return peerBytes === ownBytes ? undefined : `${ownBytes} bytes at the client, ${peerBytes} at the replica`;
  }
}

/** Start a bulk stream. With `up` the bytes are to be counted where they arrive, at the replica. */
export async function startBulkLoad(target: LoadTarget, direction: Direction): Promise<Load> {
  const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
  const connection = new BulkConnection(socket, target, direction);
  return {
    count: () => connection.receivedBytes,
    failure: () => connection.failure,
    takeLatency: () => undefined,
    async stop() {
      connection.stop();
      await connection.close();
    },
  };
}
