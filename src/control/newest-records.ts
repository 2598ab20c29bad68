import { GatewayError } from "../base/errors.ts";

/** A completed build's event, as it came. */
interface DatedMessage {
  readonly createdAtMs: number;
  readonly message: Buffer;
}

/** What a list that has to be sorted may take of the gateway's memory. */
const MAX_BYTES = 64 * 2 ** 20;

/** How many more than wanted are gathered before the rest is let go. */
const SLACK = 256;

/** Keeps the newest of many records. */
export class NewestRecords {
  readonly #limit: number;
  #records: DatedMessage[] = [];
  #bytes = 0;

  /** `limit` is at least 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws GatewayError(limit_exceeded) where the newest are too large to be kept. */
  add(createdAtMs: number, message: Buffer): void {
    this.#records.push({ createdAtMs, message });
    this.#bytes += message.length;
    if (this.#records.length <= this.#limit + SLACK && this.#bytes <= MAX_BYTES) return;
    this.#cut();
    if (this.#bytes <= MAX_BYTES) return;
    throw new GatewayError("limit_exceeded", `records of ${this.#limit} builds over ${MAX_BYTES} bytes: ask for fewer`);
  }

  /** As many as are wanted, newest first. */
  take(): Buffer[] {
    this.#cut();
    return this.#records.map(({ message }) => message);
  }

  #cut(): void {
    this.#records.sort((one, other) => other.createdAtMs - one.createdAtMs);
    this.#records = this.#records.slice(0, this.#limit);
    this.#bytes = this.#records.reduce((sum, { message }) => sum + message.length, 0);
  }
}
