import type { HeaderField } from "./header-field.ts";

/**
 * A field that is likely to come again: an entry of a header table, or one
 * that the gateway sends often. It keeps the form in which it goes out, so
 * that sending it again is one copy.
 *
 * Never sensitive: such fields are not kept in tables (RFC 7541 §7.1.3).
 */
export class InternedField implements HeaderField {
  readonly name: string;
  readonly value: string;
  readonly isSensitive = false;
  // Private to the language, so that two equal fields stay equal for whoever compares them.
  #wire: Uint8Array | undefined;
  #wasWritten = false;

  /** `wire` is the field as the encoder would write it, where that is known. */
  constructor(name: string, value: string, wire?: Uint8Array) {
    this.name = name;
    this.value = value;
    this.#wire = wire;
  }

  /** The octets to send for this field, once they are kept. */
  get wire(): Uint8Array | undefined {
    return this.#wire;
  }

  /**
   * Note that the field was written as `out[start, end)`. The field keeps
   * a copy from the second time on: many table entries are sent once and never again.
   */
  noteWritten(out: Buffer, start: number, end: number): void {
    if (this.#wasWritten) this.#wire = Uint8Array.prototype.slice.call(out, start, end);
    this.#wasWritten = true;
  }
}
