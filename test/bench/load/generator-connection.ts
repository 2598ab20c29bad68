import type { Socket } from "node:net";
import { CLIENT_PREFACE } from "../../support/raw-http2/frames.ts";
import { encodeFields, encodeIndexed, type Field } from "../../support/raw-http2/hpack-encoder.ts";
import { BenchConnection, type BenchStream } from "./bench-connection.ts";
import type { LoadTarget } from "./load.ts";
import { requestFields } from "./shapes.ts";

/** Where the dynamic table begins (RFC 7541 §2.3.3). */
const FIRST_DYNAMIC_INDEX = 62;

/** How long the open calls of a load may take when no new one is started. */
const FINISH_PATIENCE_MS = 5_000;

/** The client end of a benchmark connection, for calls of one method; what it sends is its subclasses'. */
export abstract class GeneratorConnection<S extends BenchStream> extends BenchConnection<S> {
  readonly #fields: readonly Field[];
  #repeatedBlock: Buffer | undefined;
  #nextStreamId = 1;
  #settle: (() => void) | undefined;
  readonly #settled: Promise<void>;
  /** What ended the load too early. */
  failure: Error | undefined;

  protected constructor(socket: Socket, path: string, target: LoadTarget) {
    super(socket);
    this.#fields = requestFields(path, target.isTls);
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    socket.on("error", (cause) => this.fail(cause.message));
    socket.on("close", () => this.fail("the connection was closed"));
    this.append(CLIENT_PREFACE);
    this.begin();
    this.flush();
  }

  /** Bytes from the socket. */
  receive(bytes: Buffer, count: number): void {
    this.read(bytes, 0, count);
  }

  /** Wait until all is done, and close; throws what went wrong. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.fail(`not finished after ${FINISH_PATIENCE_MS} ms`), FINISH_PATIENCE_MS);
    await this.#settled;
    clearTimeout(timer);
    this.socket.destroy();
    if (this.failure) throw this.failure;
  }

  /** All that was asked for has been done. */
  protected finish(): void {
    this.#settle?.();
    this.#settle = undefined;
  }

  protected fail(message: string): void {
    if (this.#settle) this.failure = new Error(message);
    this.finish();
  }

  protected newStreamId(): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    return streamId;
  }

  /** As grpc-go does: the first request fills the peer's table, every later one is a row of indexes. */
  protected requestBlock(): Buffer {
    if (this.#repeatedBlock) return this.#repeatedBlock;
    if (this.peerHeaderTableBytes < 4_096) {
      this.#repeatedBlock = encodeFields(this.#fields);
      return this.#repeatedBlock;
    }
    const lastIndex = FIRST_DYNAMIC_INDEX + this.#fields.length - 1;
    this.#repeatedBlock = encodeIndexed(this.#fields.map((_, position) => lastIndex - position));
    return encodeFields(this.#fields, "incremental");
  }

  protected override wantsData(): boolean {
    return false;
  }

  protected override onReset(streamId: number, errorCode: number): void {
    this.fail(`stream ${streamId} was reset with code ${errorCode}`);
  }

  protected override onGoaway(errorCode: number, debug: string): void {
    this.fail(`GOAWAY with code ${errorCode} ${debug}`.trimEnd());
  }
}
