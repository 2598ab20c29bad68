import type { Socket } from "node:net";
import { headersFrame } from "../../support/raw-http2/frames.ts";
import type { BenchStream } from "./bench-connection.ts";
import { endOfStream } from "./bulk-sender.ts";
import { connectFast } from "./fast-socket.ts";
import { GeneratorConnection } from "./generator-connection.ts";
import type { Load, LoadTarget } from "./load.ts";
import { BENCH_PATH, STATUS_MESSAGE_BYTES } from "./shapes.ts";

/** Streams on which the replica says something small again and again. */
class StatusConnection extends GeneratorConnection<BenchStream> {
  readonly #streams: number;
  #isStopping = false;
  receivedBytes = 0;

  constructor(socket: Socket, target: LoadTarget, streams: number) {
    super(socket, BENCH_PATH.status, target);
    this.#streams = streams;
  }

  stop(): void {
    this.#isStopping = true;
    for (const id of this.streams.keys()) this.append(endOfStream(id));
    this.flush();
  }

  protected override onReady(): void {
    for (let index = 0; index < this.#streams; index++) {
      const id = this.newStreamId();
      this.streams.set(id, { id, sendWindowBytes: this.peerInitialWindowBytes, ungrantedBytes: 0 });
      this.append(headersFrame(id, this.requestBlock()));
    }
  }

  protected override onHeaders(streamId: number, isEndStream: boolean): void {
    if (!isEndStream) return;
    this.streams.delete(streamId);
    if (!this.#isStopping) this.fail("a stream ended by itself");
    else if (this.streams.size === 0) this.finish();
  }

  protected override onData(_stream: BenchStream, _isEndStream: boolean, lengthBytes: number): void {
    this.receivedBytes += lengthBytes;
  }

  protected override onWindow(): void {}
}

/** Open `streams` streams on each of `connections` connections, and count the messages that come. */
export async function startStatusLoad(target: LoadTarget, connections: number, streams: number): Promise<Load> {
  const started: StatusConnection[] = [];
  for (let index = 0; index < connections; index++) {
    const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
    const connection = new StatusConnection(socket, target, streams);
    started.push(connection);
  }
  return {
    count: () => started.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0) / STATUS_MESSAGE_BYTES,
    failure: () => started.find((connection) => connection.failure)?.failure,
    takeLatency: () => undefined,
    async stop() {
      for (const connection of started) connection.stop();
      await Promise.all(started.map((connection) => connection.close()));
    },
  };
}
