import type { Socket } from "node:net";
import { CLIENT_PREFACE, dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { BenchConnection, type BenchStream } from "./bench-connection.ts";
import { BulkSender } from "./bulk-sender.ts";
import { replicaAnswer } from "./replica-answers.ts";
import { RequestPaths } from "./request-paths.ts";
import {
  BENCH_PATH,
  BYTES_TRAILER,
  CONTENT_BYTES,
  CONTENT_READ_PATH,
  OK_TRAILERS_BLOCK,
  RESPONSE_BLOCK,
  trailersBlock,
  UNARY_MESSAGE_BYTES,
} from "./shapes.ts";
import { StatusSender } from "./status-sender.ts";

interface ReplicaStream extends BenchStream {
  readonly path: string;
  receivedBytes: number;
  sender: BulkSender | undefined;
  status: StatusSender | undefined;
}

/** The answer to a unary call; only the stream ids differ from call to call. */
const ECHO_HEADERS = headersFrame(0, RESPONSE_BLOCK);
const ECHO_DATA = dataFrame(0, grpcMessage(Buffer.alloc(UNARY_MESSAGE_BYTES - 5, 0x65)));
const ECHO_ANSWER = Buffer.concat([ECHO_HEADERS, ECHO_DATA, headersFrame(0, OK_TRAILERS_BLOCK, true)]);
const ECHO_DATA_AT = ECHO_HEADERS.length;
const ECHO_TRAILERS_AT = ECHO_DATA_AT + ECHO_DATA.length;

/** What all connections of the replica have received on {@link BENCH_PATH.up}. */
export const received = { upBytes: 0 };

/** The server end: a stand-in for buildkitd that is much faster than any proxy. */
export class ReplicaConnection extends BenchConnection<ReplicaStream> {
  readonly #paths = new RequestPaths();
  #missingPrefaceBytes = CLIENT_PREFACE.length;
  /** Unary answers that wait for a window. */
  readonly #waitingAnswers: ReplicaStream[] = [];

  constructor(socket: Socket) {
    super(socket);
    // A client that goes away is the generator's affair: it notices what it misses.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      for (const { status } of this.streams.values()) status?.stop();
    });
    this.begin();
    this.flush();
  }

  /** Bytes from the socket. */
  receive(bytes: Buffer, count: number): void {
    const skip = Math.min(this.#missingPrefaceBytes, count);
    this.#missingPrefaceBytes -= skip;
    this.read(bytes, skip, count);
  }

  protected override wantsData(): boolean {
    return false;
  }

  protected override onReady(): void {}

  protected override onHeaders(streamId: number, isEndStream: boolean, block: Buffer): void {
    const stream: ReplicaStream = {
      id: streamId,
      path: this.#paths.pathOf(block),
      sendWindowBytes: this.peerInitialWindowBytes,
      ungrantedBytes: 0,
      receivedBytes: 0,
      sender: undefined,
      status: undefined,
    };
    this.streams.set(streamId, stream);
    if (stream.path === BENCH_PATH.status) this.#startStatus(stream);
    if (isEndStream) this.#requestEnded(stream);
  }

  protected override onData(stream: ReplicaStream, isEndStream: boolean, lengthBytes: number): void {
    stream.receivedBytes += lengthBytes;
    if (stream.path === BENCH_PATH.up) received.upBytes += lengthBytes;
    if (stream.path === BENCH_PATH.down && !stream.sender) this.#startDown(stream);
    if (isEndStream) this.#requestEnded(stream);
  }

  protected override onReset(streamId: number): void {
    const stream = this.streams.get(streamId);
    stream?.sender?.abandon();
    stream?.status?.stop();
    this.streams.delete(streamId);
  }

  protected override onGoaway(): void {}

  protected override onWindow(): void {
    for (let left = this.#waitingAnswers.length; left > 0; left--) this.#answerEcho(this.#waitingAnswers.shift()!);
    for (const stream of this.streams.values()) stream.sender?.pump();
  }

  #requestEnded(stream: ReplicaStream): void {
    switch (stream.path) {
      case BENCH_PATH.echo:
        this.#answerEcho(stream);
        return;
      case BENCH_PATH.up:
        this.append(headersFrame(stream.id, RESPONSE_BLOCK));
        this.append(dataFrame(stream.id, grpcMessage(Buffer.alloc(0))));
        this.#endBulk(stream, stream.receivedBytes);
        return;
      case BENCH_PATH.down:
        stream.sender?.finish();
        return;
      case BENCH_PATH.status:
        stream.status?.stop();
        this.append(headersFrame(stream.id, OK_TRAILERS_BLOCK, true));
        this.streams.delete(stream.id);
        return;
      case CONTENT_READ_PATH:
        this.#startDown(stream, CONTENT_BYTES);
        return;
      default:
        this.append(replicaAnswer(stream.path, stream.id));
        this.streams.delete(stream.id);
    }
  }

  #answerEcho(stream: ReplicaStream): void {
    if (Math.min(this.sendWindowBytes, stream.sendWindowBytes) < UNARY_MESSAGE_BYTES) {
      this.#waitingAnswers.push(stream);
      return;
    }
    this.sendWindowBytes -= UNARY_MESSAGE_BYTES;
    const at = this.append(ECHO_ANSWER);
    this.setStreamId(at, stream.id);
    this.setStreamId(at + ECHO_DATA_AT, stream.id);
    this.setStreamId(at + ECHO_TRAILERS_AT, stream.id);
    this.streams.delete(stream.id);
  }

  #startStatus(stream: ReplicaStream): void {
    this.append(headersFrame(stream.id, RESPONSE_BLOCK));
    stream.status = new StatusSender(this, stream, (at, streamId) => this.setStreamId(at, streamId));
  }

  #startDown(stream: ReplicaStream, limitBytes?: number): void {
    this.append(headersFrame(stream.id, RESPONSE_BLOCK));
    const sender = new BulkSender(this, stream, () => this.#endBulk(stream, sender.sentBytes), limitBytes);
    stream.sender = sender;
    sender.pump();
  }

  #endBulk(stream: ReplicaStream, bytes: number): void {
    this.append(headersFrame(stream.id, trailersBlock(0, "", [[BYTES_TRAILER, String(bytes)]]), true));
    this.flush();
    this.streams.delete(stream.id);
  }
}
