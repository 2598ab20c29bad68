import fc from "fast-check";
import type { HeaderField } from "../../src/http2/header-field.ts";

/** What a name or value may be made of: any octet, or only what HTTP allows at its ends and in between (RFC 9113 §8.2.1). */
export type OctetSet = "any" | "http" | "ascii";

const VALUE_OCTETS: Readonly<Record<OctetSet, fc.Arbitrary<number>>> = {
  any: fc.integer({ min: 0, max: 255 }),
  http: fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })),
  ascii: fc.integer({ min: 0x21, max: 0x7e }),
};

/** Names that peers pass on as they are; some are in the static table, some with a value. */
const COMMON_NAMES = ["x-a", "x-trace", "via", "vary", "link", "accept-language", "cache-control", "grpc-status"];
const COMMON_VALUES = ["", "0", "gzip, deflate", "trailers", "application/grpc", "a value with spaces, and more of it"];
const TOKEN = [..."abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~"];

/**
 * Random header lists of regular fields. Names and values often repeat, within
 * a list and from list to list, so that header tables have something to do;
 * some values are longer than a whole table.
 */
export function headerLists(octets: OctetSet): fc.Arbitrary<HeaderField[]> {
  const rareName =
    octets === "any"
      ? text(octets, 40)
      : fc.string({ unit: fc.constantFrom(...TOKEN), maxLength: 30 }).map((t) => `x-${t}`);
  return fc.array(
    fc.record({
      name: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...COMMON_NAMES) }, { weight: 1, arbitrary: rareName }),
      value: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...COMMON_VALUES) },
        { weight: 3, arbitrary: text(octets, 60) },
        {
          weight: 1,
          arbitrary: fc
            .integer({ min: 120, max: 5_000 })
            .map((length) => "long ".repeat(length).slice(0, length).trim()),
        },
      ),
      isSensitive: fc.integer({ max: 7, min: 0 }).map((n) => n === 0),
    }),
    { maxLength: 12 },
  );
}

function text(octets: OctetSet, maxLength: number): fc.Arbitrary<string> {
  return fc.array(VALUE_OCTETS[octets], { maxLength }).map((codes) => String.fromCharCode(...codes));
}

/** A field for a test. */
export function field(name: string, value: string, isSensitive = false): HeaderField {
  return { name, value, isSensitive };
}

/** Nothing but what a field says, whatever else its class keeps. */
export function plain(fields: readonly HeaderField[]): HeaderField[] {
  return fields.map(({ name, value, isSensitive }) => ({ name, value, isSensitive }));
}
