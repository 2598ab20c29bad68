import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** Octets before the input: its number, and its length. */
const HEADER_BYTES = 12;

/** Keeps the input that is being run in a file, where it is found when the process has hung or died. */
export class FlightRecorder {
  readonly #file: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);

  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  /** Note what is about to be run, with a number that no input before had. */
  note(count: number, input: Buffer): void {
    this.#header.writeDoubleBE(count, 0);
    this.#header.writeUInt32BE(input.length, 8);
    writeSync(this.#file, Buffer.concat([this.#header, input]), 0, HEADER_BYTES + input.length, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What was last noted in a file; undefined where nothing was. */
export function readFlight(path: string): { readonly count: number; readonly input: Buffer } | undefined {
  const bytes = readFileSync(path);
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = bytes.readUInt32BE(8);
  return { count: bytes.readDoubleBE(0), input: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) };
}
