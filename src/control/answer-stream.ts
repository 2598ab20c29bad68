import { Metadata, type ServerWritableStream } from "@grpc/grpc-js";

/** How a client's call is answered by a stream of messages in bytes. */
export interface AnswerStream {
  /** Fires when the client wants no more. */
  readonly signal: AbortSignal;
  /** Send response headers now, before any message. */
  sendHeaders(fields: Readonly<Record<string, string>>): void;
  /** Send a message; resolves when the next may be sent, or nobody wants it any more. */
  write(message: Buffer): Promise<void>;
}

/** Answers a call on grpc-js. Writers wait together while the client reads too slowly. */
export class CallAnswer implements AnswerStream {
  readonly #call: ServerWritableStream<Buffer, Buffer>;
  readonly #gone = new AbortController();
  /** Those that wait for the client to read on. */
  readonly #waiting = new Set<() => void>();

  constructor(call: ServerWritableStream<Buffer, Buffer>) {
    this.#call = call;
    const goOn = () => {
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    };
    const gone = () => {
      this.#gone.abort();
      goOn();
    };
    call.on("drain", goOn);
    call.on("cancelled", gone);
    call.on("close", gone);
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  sendHeaders(fields: Readonly<Record<string, string>>): void {
    const headers = new Metadata();
    for (const [name, value] of Object.entries(fields)) headers.set(name, value);
    this.#call.sendMetadata(headers);
  }

  async write(message: Buffer): Promise<void> {
    if (this.signal.aborted || this.#call.write(message)) return;
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }
}
