import fc from "fast-check";
import { expect, test } from "vitest";
import { ConnectionError, ErrorCode } from "../../../src/http2/errors.ts";
import { HpackDecoder } from "../../../src/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../../src/http2/hpack-encoder.ts";
import { headerBlock, type Representation } from "../../support/hpack-blocks.ts";
import { headerLists } from "../../support/hpack-lists.ts";
import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";

// fast-check prints the seed of what fails.
const MAX_LIST_BYTES = 1 << 20;

test("random header lists of any octets come back from our encoder through our decoder", () => {
  fc.assert(
    fc.property(fc.array(headerLists("any"), { maxLength: 5 }), (lists) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder({ maxListBytes: MAX_LIST_BYTES });
      for (const fields of lists) expect(decoder.decode(encoder.encode(fields))).toEqual({ t: "ok", fields });
    }),
  );
});

test("random blocks that use every representation decode as a plain decoder reads them, and pass on unchanged", () => {
  fc.assert(
    fc.property(fc.array(validBlocks(), { minLength: 1, maxLength: 6 }), (blocks) => {
      const decoder = new HpackDecoder({ maxListBytes: MAX_LIST_BYTES });
      const plainDecoder = new PlainHpackDecoder();
      const encoder = new HpackEncoder();
      const nextDecoder = new HpackDecoder({ maxListBytes: MAX_LIST_BYTES });
      for (const block of blocks) {
        const decoded = decoder.decode(block);
        const fields = decoded.t === "ok" ? decoded.fields : [];
        expect(fields.map(({ name, value }) => [name, value])).toEqual(plainDecoder.decode(block));
        expect(nextDecoder.decode(encoder.encode(fields))).toEqual({ t: "ok", fields });
      }
    }),
    { numRuns: 500 },
  );
});

test("random octets are a header list or a COMPRESSION_ERROR, nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrFails), { numRuns: 3_000 });
});

test("blocks with an octet changed, lost or added are a header list or a COMPRESSION_ERROR, nothing else", () => {
  const damaged = fc
    .tuple(validBlocks(), fc.nat(), fc.constantFrom(0, 1), fc.uint8Array({ maxLength: 2 }))
    .map(([block, at, lost, added]) => {
      const cut = at % (block.length + 1);
      return Buffer.concat([block.subarray(0, cut), added, block.subarray(cut + lost)]);
    });
  fc.assert(fc.property(damaged, decodesOrFails), { numRuns: 2_000 });
});

function decodesOrFails(block: Uint8Array): void {
  const decoder = new HpackDecoder({ maxListBytes: MAX_LIST_BYTES });
  try {
    const decoded = decoder.decode(block);
    if (decoded.t !== "ok") return;
    const expected = new PlainHpackDecoder().decode(Buffer.from(block));
    expect(decoded.fields.map(({ name, value }) => [name, value])).toEqual(expected);
  } catch (reason) {
    if (!(reason instanceof ConnectionError)) throw reason;
    expect(reason.code).toBe(ErrorCode.COMPRESSION_ERROR);
  }
}

/** Blocks without a fault, wherever they come in a connection: their indexes are those of the static table and of what they add themselves. */
function validBlocks(): fc.Arbitrary<Buffer> {
  const string = fc.record({
    octets: fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
    isHuffman: fc.boolean(),
  });
  const literal = fc.record({
    t: fc.constant("literal" as const),
    kind: fc.constantFrom("indexed" as const, "notIndexed" as const, "neverIndexed" as const),
    name: fc.oneof(fc.integer({ min: 1, max: 61 }), string),
    value: string,
  });
  const sizes = fc.array(fc.integer({ min: 0, max: 4_096 }), { maxLength: 2 });
  const fields = fc.array(fc.oneof(literal, fc.nat()), { maxLength: 20 });
  return fc.tuple(sizes, fields).map(([tableSizes, parts]) => {
    const capacityBytes = tableSizes.at(-1) ?? 0;
    // Of what this block adds, the newest entries that surely fit can be referred to: 60 octets each and 32 for the entry.
    const fitting = Math.floor(capacityBytes / 152);
    let added = 0;
    const representations = parts.map((part): Representation => {
      if (typeof part === "number") {
        return { t: "indexed", index: 1 + (part % (61 + Math.min(added, fitting))) };
      }
      if (part.kind === "indexed") added++;
      return part;
    });
    return headerBlock(...tableSizes.map((bytes): Representation => ({ t: "tableSize", bytes })), ...representations);
  });
}
