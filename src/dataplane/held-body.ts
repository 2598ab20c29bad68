import { GatewayError } from "../base/errors.ts";
import { type FirstMessage, GRPC_PREFIX_BYTES, readFirstMessage } from "../buildkit/grpc-message.ts";
import { CallOverLimit } from "./over-limit.ts";
import type { Stream } from "./stream.ts";

/** What a connection's held calls keep together. */
export interface HeldTotals {
  bytes: number;
  /** Calls that are held. */
  calls: number;
  readonly maxBytes: number;
}

/** Makes the error for a message that is too large, of what is wrong with it. */
export type TooLarge = (text: string) => GatewayError;

/** What a client has sent of a call that has no replica yet. Copied, and counted against the connection. */
export class HeldBody {
  readonly #held: HeldTotals;
  /** Grows by doubling, so that one-byte frames cost no more than large ones. */
  #memory: Buffer = NO_BYTES;
  #bytes = 0;
  /** Octets from which on it is worth looking at the message again. */
  #wantedBytes = GRPC_PREFIX_BYTES;

  constructor(held: HeldTotals) {
    this.#held = held;
    held.calls++;
  }

  /** Keep a copy. Throws CallOverLimit when the connection holds too much. */
  add(bytes: Buffer): void {
    if (this.#held.bytes + bytes.length > this.#held.maxBytes) {
      throw new CallOverLimit("heldBytes", `held calls over ${this.#held.maxBytes} bytes`);
    }
    this.#held.bytes += bytes.length;
    const end = this.#bytes + bytes.length;
    if (end > this.#memory.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#memory.length));
      this.#memory.copy(grown, 0, 0, this.#bytes);
      this.#memory = grown;
    }
    bytes.copy(this.#memory, this.#bytes);
    this.#bytes = end;
  }

  /**
   * Look for the call's first message, and let the client send as much as it
   * still needs. Throws GatewayError for a message that is malformed, and what
   * `tooLarge` makes for one over `maxBytes`.
   */
  firstMessage(stream: Stream, encoding: string | undefined, maxBytes: number, tooLarge: TooLarge): Buffer | undefined {
    if (this.#bytes < this.#wantedBytes) return undefined;
    const read: FirstMessage = readFirstMessage(this.#memory.subarray(0, this.#bytes), encoding, maxBytes);
    switch (read.t) {
      case "message":
        return read.message;
      case "malformed":
        throw new GatewayError("invalid_request", `cannot read the request: ${read.reason}`);
      case "incomplete":
        if (read.wantedBytes > maxBytes) {
          throw tooLarge(`request of ${read.wantedBytes} bytes over ${maxBytes}`);
        }
        this.#wantedBytes = read.wantedBytes;
        stream.grant(read.wantedBytes - this.#bytes - stream.receiveWindow);
        return undefined;
    }
  }

  /** Hand everything over; nothing is held afterwards. Once only. */
  take(): Buffer {
    this.#held.calls--;
    const all = this.#memory.subarray(0, this.#bytes);
    this.#held.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#memory = NO_BYTES;
    return all;
  }
}

const NO_BYTES = Buffer.alloc(0);
