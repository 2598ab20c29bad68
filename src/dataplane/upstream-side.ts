import type { HeaderField } from "../http2/header-field.ts";
import type { Call } from "./call.ts";
import type { Stream, StreamReceiver } from "./stream.ts";

/** Hears the replica's end of a joined call. */
export class UpstreamSide implements StreamReceiver {
  readonly #call: Call;
  readonly #upstream: Stream;

  constructor(call: Call, upstream: Stream) {
    this.#call = call;
    this.#upstream = upstream;
  }

  headers(fields: readonly HeaderField[], isEndOfStream: boolean): void {
    this.#call.headersDown(fields, isEndOfStream);
  }

  data(bytes: Buffer, isEndOfStream: boolean): void {
    this.#call.sendDown(this.#upstream, bytes, isEndOfStream);
  }

  reset(code: number): void {
    this.#call.upstreamReset(code);
  }

  lost(error: Error): void {
    this.#call.upstreamLost(error);
  }

  writable(): void {
    this.#call.upstreamWritable(this.#upstream);
  }

  closed(): void {}
}
