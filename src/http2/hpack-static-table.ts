import { InternedField } from "./hpack-field.ts";

/** RFC 7541 appendix A, in order: the first entry has index 1. */
const ENTRIES: readonly (readonly [name: string, value?: string])[] = [
  [":authority"],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
];

/** The fields that every connection knows (RFC 7541 §2.3.1). Index 0 of this array is unused, as on the wire. */
export const STATIC_FIELDS: readonly (InternedField | undefined)[] = [
  undefined,
  ...ENTRIES.map(([name, value = ""], at) => new InternedField(name, value, Uint8Array.of(0x80 | (at + 1)))),
];

/** The first dynamic index (RFC 7541 §2.3.3). */
export const FIRST_DYNAMIC_INDEX = STATIC_FIELDS.length;

/** Where a name stands in the static table. */
export interface StaticName {
  /** The first entry of that name. */
  readonly index: number;
  /** The entry of each value that the table has for it. */
  readonly indexByValue: ReadonlyMap<string, number>;
}

/** The static table by name. */
export const STATIC_NAMES: ReadonlyMap<string, StaticName> = buildNames();

function buildNames(): Map<string, StaticName> {
  const names = new Map<string, { index: number; indexByValue: Map<string, number> }>();
  ENTRIES.forEach(([name, value = ""], at) => {
    const known = names.get(name);
    if (known) known.indexByValue.set(value, at + 1);
    else names.set(name, { index: at + 1, indexByValue: new Map([[value, at + 1]]) });
  });
  return names;
}
