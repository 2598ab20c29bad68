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

/** Which way, and over how many streams. Default: one stream on one connection. */
export interface BulkShape {
  readonly direction: Direction;
  readonly connections?: number;
  /** On each connection. */
  readonly streams?: number;
}

interface BulkStream extends BenchStream {
  readonly headerBlocks: Field[][];
  readonly sender: BulkSender | undefined;
  receivedBytes: number;
}

/** Streams in one direction until stopped; then it checks that nothing was lost on the way. */
class BulkConnection extends GeneratorConnection<BulkStream> {
  readonly #direction: Direction;
  readonly #streamCount: number;
  readonly #decoder = new PlainHpackDecoder();
  #isStopping = false;
  receivedBytes = 0;

  constructor(socket: Socket, target: LoadTarget, direction: Direction, streams: number) {
    super(socket, BENCH_PATH[direction], target);
    this.#direction = direction;
    this.#streamCount = streams;
  }

  stop(): void {
    this.#isStopping = true;
    for (const { id, sender } of [...this.streams.values()]) {
      if (sender) sender.finish();
      else this.append(endOfStream(id));
    }
    this.flush();
  }

  protected override onReady(): void {
    for (let index = 0; index < this.#streamCount; index++) this.#open();
  }

  #open(): void {
    const id = this.newStreamId();
    const base = { id, sendWindowBytes: this.peerInitialWindowBytes, ungrantedBytes: 0 };
    this.append(headersFrame(id, this.requestBlock()));
    if (this.#direction === "up") {
      const stream: BulkStream = Object.assign(base, {
        headerBlocks: [],
        receivedBytes: 0,
        sender: new BulkSender(this, base, () => {
          this.append(endOfStream(id));
          this.flush();
        }),
      });
      this.streams.set(id, stream);
      stream.sender?.pump();
      return;
    }
    const start = grpcMessage(Buffer.alloc(0));
    base.sendWindowBytes -= start.length;
    this.sendWindowBytes -= start.length;
    this.append(dataFrame(id, start));
    this.streams.set(id, Object.assign(base, { headerBlocks: [], receivedBytes: 0, sender: undefined }));
  }

  protected override onHeaders(streamId: number, isEndStream: boolean, block: Buffer): void {
    const fields = this.#decoder.decode(block);
    const stream = this.streams.get(streamId);
    stream?.headerBlocks.push(fields);
    if (!isEndStream || !stream) return;
    this.streams.delete(streamId);
    const problem = this.#problemOf(stream);
    if (problem) this.fail(problem);
    else if (this.streams.size === 0) this.finish();
  }

  protected override onData(stream: BulkStream, isEndStream: boolean, lengthBytes: number): void {
    stream.receivedBytes += lengthBytes;
    this.receivedBytes += lengthBytes;
    if (isEndStream) this.fail("a stream ended without trailers");
  }

  protected override onWindow(): void {
    for (const { sender } of this.streams.values()) sender?.pump();
  }

  #problemOf({ headerBlocks, sender, receivedBytes }: BulkStream): string | undefined {
    const trailers = new Map(headerBlocks.at(-1));
    const status = trailers.get("grpc-status");
    if (status !== "0") return `grpc-status ${status}: ${trailers.get("grpc-message")}`;
    if (!this.#isStopping || headerBlocks.length !== 2) return "a stream ended by itself";
    const ownBytes = sender?.sentBytes ?? receivedBytes;
    const peerBytes = Number(trailers.get(BYTES_TRAILER));
    return peerBytes === ownBytes ? undefined : `${ownBytes} bytes at the client, ${peerBytes} at the replica`;
  }
}

/** Start bulk streams. With `up` the bytes are to be counted where they arrive, at the replica. */
export async function startBulkLoad(
  target: LoadTarget,
  { direction, connections = 1, streams = 1 }: BulkShape,
): Promise<Load> {
  const started: BulkConnection[] = [];
  for (let index = 0; index < connections; index++) {
    const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
    const connection = new BulkConnection(socket, target, direction, streams);
    started.push(connection);
  }
  return {
    count: () => started.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
    failure: () => started.find((connection) => connection.failure)?.failure,
    takeLatency: () => undefined,
    async stop() {
      for (const connection of started) connection.stop();
      await Promise.all(started.map((connection) => connection.close()));
    },
  };
}
