import { ApiFailure } from "./api-failure.ts";

const LINE_FEED = 0x0a;

/**
 * Puts a stream's chunks together to lines. A chunk may end anywhere, within a
 * character too: bytes become text only once a line is whole.
 */
export class LineReader {
  readonly #maxBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** `maxBytes`: longest line. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that a chunk completes, without empty ones. Throws {@link ApiFailure} where one is too long. */
  read(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      const line = this.#take();
      if (line.trim() !== "") lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > this.#maxBytes) {
      throw new ApiFailure("unreadable", `an event of more than ${this.#maxBytes} bytes`);
    }
    this.#pending.push(part);
  }

  #take(): string {
    const line = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    return line.toString("utf8");
  }
}
