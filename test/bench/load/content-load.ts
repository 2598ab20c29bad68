import type { Socket } from "node:net";
import { dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";
import type { Field } from "../../support/raw-http2/hpack-encoder.ts";
import type { BenchStream } from "./bench-connection.ts";
import { connectFast } from "./fast-socket.ts";
import { GeneratorConnection } from "./generator-connection.ts";
import type { Load, LoadTarget } from "./load.ts";
import { BYTES_TRAILER, CONTENT_READ_PATH } from "./shapes.ts";

/** A `ReadContentRequest`: digest=1. */
const DIGEST = Buffer.from(`sha256:${"0".repeat(64)}`);
const REQUEST = grpcMessage(Buffer.concat([Buffer.of(0x0a, DIGEST.length), DIGEST]));

/** Reads content to its end, and then again, until stopped; each time it checks that nothing was lost. */
class ContentConnection extends GeneratorConnection<BenchStream> {
  readonly #decoder = new PlainHpackDecoder();
  #lastFields: Field[] = [];
  #isStopping = false;
  #readBytes = 0;
  receivedBytes = 0;

  constructor(socket: Socket, target: LoadTarget) {
    super(socket, CONTENT_READ_PATH, target);
  }

  /** Read to the end what has been begun. */
  stop(): void {
    this.#isStopping = true;
  }

  protected override onReady(): void {
    this.#read();
  }

  protected override onWindow(): void {}

  protected override onHeaders(streamId: number, isEndStream: boolean, block: Buffer): void {
    this.#lastFields = this.#decoder.decode(block);
    if (!isEndStream) return;
    this.streams.delete(streamId);
    const trailers = new Map(this.#lastFields);
    const status = trailers.get("grpc-status");
    const sentBytes = Number(trailers.get(BYTES_TRAILER));
    if (status !== "0") this.fail(`grpc-status ${status}: ${trailers.get("grpc-message")}`);
    else if (sentBytes !== this.#readBytes) this.fail(`${this.#readBytes} bytes came of ${sentBytes}`);
    else if (this.#isStopping) this.finish();
    else this.#read();
  }

  protected override onData(_stream: BenchStream, isEndStream: boolean, lengthBytes: number): void {
    this.receivedBytes += lengthBytes;
    this.#readBytes += lengthBytes;
    if (isEndStream) this.fail("the stream ended without trailers");
  }

  #read(): void {
    const id = this.newStreamId();
    this.#readBytes = 0;
    this.streams.set(id, { id, sendWindowBytes: this.peerInitialWindowBytes, ungrantedBytes: 0 });
    this.append(headersFrame(id, this.requestBlock()));
    this.append(dataFrame(id, REQUEST, true));
    this.sendWindowBytes -= REQUEST.length;
  }
}

/** Start to read content. */
export async function startContentLoad(target: LoadTarget): Promise<Load> {
  const socket = await connectFast(target.port, target.isTls, (bytes, count) => connection.receive(bytes, count));
  const connection = new ContentConnection(socket, target);
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
