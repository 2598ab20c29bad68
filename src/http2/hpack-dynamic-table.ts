import type { InternedField } from "./hpack-field.ts";

/** What an entry counts beyond its octets (RFC 7541 §4.1; RFC 9113 §6.5.2 counts a header list the same way). */
export const FIELD_OVERHEAD_BYTES = 32;

/** Entries that there is room for at first. */
const FIRST_ENTRIES = 16;

/** A ring of the fields that the peer told us to remember, newest first (RFC 7541 §2.3.2). */
export class DynamicTable {
  /** Its length is 0 or a power of 2. Allocated with the first entry: most peers never add one. */
  #ring: (InternedField | undefined)[] = [];
  /** Where the next entry goes. */
  #next = 0;
  #count = 0;
  #bytes = 0;
  #capacityBytes: number;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  /** The entry at `position`, counted from 0 at the newest; undefined where there is none. */
  at(position: number): InternedField | undefined {
    if (position >= this.#count) return undefined;
    return this.#ring[(this.#next - 1 - position) & (this.#ring.length - 1)];
  }

  /** Change the capacity, dropping the oldest entries that no longer fit (RFC 7541 §4.3). */
  resize(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
    this.#evictDownTo(capacityBytes);
  }

  /**
   * Make room for an entry of that many octets, name and value, without the
   * overhead. False where it is larger than the whole table, which then is
   * empty: no error (RFC 7541 §4.4).
   */
  makeRoom(fieldBytes: number): boolean {
    const free = this.#capacityBytes - fieldBytes - FIELD_OVERHEAD_BYTES;
    this.#evictDownTo(Math.max(0, free));
    return free >= 0;
  }

  /** Add the newest entry, for which {@link makeRoom} found room. */
  add(field: InternedField): void {
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[this.#next] = field;
    this.#next = (this.#next + 1) & (this.#ring.length - 1);
    this.#count++;
    this.#bytes += sizeOf(field);
  }

  #evictDownTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const oldest = (this.#next - this.#count) & (this.#ring.length - 1);
      this.#bytes -= sizeOf(this.#ring[oldest]!);
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const oldestFirst = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    this.#next = this.#ring.length;
    this.#ring = oldestFirst.concat(new Array(this.#ring.length || FIRST_ENTRIES));
  }
}

function sizeOf(field: InternedField): number {
  return field.name.length + field.value.length + FIELD_OVERHEAD_BYTES;
}
