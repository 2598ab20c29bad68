import type { HeaderField } from "./header-field.ts";
import { InternedField } from "./hpack-field.ts";
import { STATIC_NAMES } from "./hpack-static-table.ts";

/** Blocks are cut from slabs of this size. */
const SLAB_BYTES = 16_384;

/** A field's octets beyond its name and value, at most: one for its kind and two lengths below 2^35. */
const MAX_FRAMING_BYTES = 13;

/** Up to this length a loop over the characters is faster than Buffer's own write. */
const SHORT_STRING_CHARS = 20;

/** First octets of what is written here (RFC 7541 §6), without their integers. */
const INDEXED = 0x80;
const TABLE_SIZE_ZERO = 0x20;
const LITERAL_NEVER_INDEXED = 0x10;
const LITERAL_NOT_INDEXED = 0x00;

/**
 * Writes the header blocks of one direction of one connection (RFC 7541).
 *
 * It keeps no table and tells the peer so in its first block, which is
 * allowed under any SETTINGS_HEADER_TABLE_SIZE of the peer, 0 included.
 * Strings go out as they are: a Huffman code would save a few octets of
 * headers next to megabytes of data, and cost more time than all the rest.
 */
export class HpackEncoder {
  #hasStarted = false;

  /**
   * Encode one header list as a whole header block. Order and repetition are
   * kept. The result is never written to again, and keeps up to 16 KiB alive.
   */
  encode(fields: readonly HeaderField[]): Buffer {
    let at = slabUsed;
    if (!this.#hasStarted) {
      at = reserve(at, 1);
      slab[at++] = TABLE_SIZE_ZERO;
    }
    for (const field of fields) {
      at = reserve(at, field.name.length + field.value.length + MAX_FRAMING_BYTES);
      at = field instanceof InternedField ? writeInterned(field, at) : writeField(field, at);
    }
    const block = slab.subarray(slabUsed, at);
    slabUsed = at;
    if (slab.length > SLAB_BYTES) useNewSlab(SLAB_BYTES);
    this.#hasStarted = true;
    return block;
  }
}

// All encoders cut from one slab, since a block is written without a pause: only the one from slabUsed on is unfinished.
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabUsed = 0;

function useNewSlab(bytes: number): void {
  slab = Buffer.allocUnsafeSlow(bytes);
  slabUsed = 0;
}

/** See that `bytes` more fit at `at`, moving the unfinished block where it must; returns the new `at`. */
function reserve(at: number, bytes: number): number {
  if (at + bytes <= slab.length) return at;
  const done = slab.subarray(slabUsed, at);
  const neededBytes = done.length + bytes;
  useNewSlab(neededBytes <= SLAB_BYTES ? SLAB_BYTES : neededBytes * 2);
  slab.set(done);
  return done.length;
}

function writeInterned(field: InternedField, at: number): number {
  const wire = field.wire;
  if (wire === undefined) {
    const end = writeField(field, at);
    field.noteWritten(slab, at, end);
    return end;
  }
  if (wire.length === 1) slab[at] = wire[0]!;
  else slab.set(wire, at);
  return at + wire.length;
}

function writeField(field: HeaderField, start: number): number {
  const { name, value, isSensitive } = field;
  const known = STATIC_NAMES.get(name);
  if (known !== undefined && !isSensitive) {
    const index = known.indexByValue.get(value);
    if (index !== undefined) {
      slab[start] = INDEXED | index;
      return start + 1;
    }
  }
  const kind = isSensitive ? LITERAL_NEVER_INDEXED : LITERAL_NOT_INDEXED;
  let at = writeInteger(kind, 0x0f, known === undefined ? 0 : known.index, start);
  if (known === undefined) at = writeString(name, at);
  return writeString(value, at);
}

function writeString(text: string, start: number): number {
  const at = writeInteger(0, 0x7f, text.length, start);
  if (text.length > SHORT_STRING_CHARS) return at + slab.write(text, at, text.length, "latin1");
  for (let i = 0; i < text.length; i++) slab[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** RFC 7541 §5.1: `value` in the bits of `prefixMask` and, where it does not fit, in octets of 7 bits after it. */
function writeInteger(kind: number, prefixMask: number, value: number, start: number): number {
  let at = start;
  if (value < prefixMask) {
    slab[at++] = kind | value;
    return at;
  }
  slab[at++] = kind | prefixMask;
  let rest = value - prefixMask;
  for (; rest >= 0x80; rest >>>= 7) slab[at++] = 0x80 | (rest & 0x7f);
  slab[at++] = rest;
  return at;
}
