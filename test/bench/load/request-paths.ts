import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";

/** No dynamic table of 4,096 octets holds more entries, so adding the same ones more often changes nothing. */
const MAX_TABLE_ENTRIES = 128;

interface Remembered {
  readonly bytes: Buffer;
  readonly path: string;
  /** Decoding it adds entries to the table. */
  readonly addsEntries: boolean;
}

/**
 * Reads `:path` from the request blocks of one connection, and does not decode
 * a block again that says the same as the one before: decoding must not be
 * what limits a proxy with a costly encoder.
 */
export class RequestPaths {
  readonly #decoder = new PlainHpackDecoder();
  #last: Remembered | undefined;
  /** How often `#last` came without having been decoded. */
  #owedDecodings = 0;

  pathOf(block: Buffer): string {
    const last = this.#last;
    if (last && block.equals(last.bytes)) {
      if (last.addsEntries) this.#owedDecodings++;
      return last.path;
    }
    if (last) {
      const owed = Math.min(this.#owedDecodings, MAX_TABLE_ENTRIES);
      for (let count = 0; count < owed; count++) this.#decoder.decode(last.bytes);
      this.#owedDecodings = 0;
    }
    const { tableReads, tableChanges } = this.#decoder;
    const path = this.#decoder.decode(block).find(([name]) => name === ":path")?.[1] ?? "";
    const addsEntries = this.#decoder.tableChanges !== tableChanges;
    const dependsOnTable = this.#decoder.tableReads !== tableReads;
    // What both reads and changes the table may mean something else the next time.
    this.#last = addsEntries && dependsOnTable ? undefined : { bytes: Buffer.from(block), path, addsEntries };
    return path;
  }
}
