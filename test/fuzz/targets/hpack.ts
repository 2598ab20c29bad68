import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ConnectionError, ErrorCode } from "../../../src/http2/errors.ts";
import { type DecodedHeaders, HpackDecoder } from "../../../src/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../../src/http2/hpack-encoder.ts";
import { RepeatingDecoder, RepeatingEncoder } from "../../../src/http2/repeated-blocks.ts";
import { PlainHpackDecoder } from "../../support/raw-http2/hpack-decoder.ts";
import type { Field } from "../../support/raw-http2/hpack-encoder.ts";
import { Draw } from "../draw.ts";
import { drawBlock } from "../drawn-block.ts";
import type { FuzzTarget } from "../fuzz-target.ts";

const MAX_LIST_BYTES = 20_000;

/** What only our decoder refuses: the plain one knows no bounds. */
const OWN_BOUNDS = /table size \d+ exceeds|table size changed in the middle|integer of more than 4 octets/;

/**
 * The blocks of one connection: our decoder reads them as a plain one does or
 * refuses them where that does, our encoder's blocks say the same, and what
 * remembers repeated blocks changes nothing.
 */
export const target: FuzzTarget = {
  name: "hpack",
  maxInputBytes: 600,
  shortRunInputs: 2_000,
  sources: [
    "http2/hpack-decoder.ts",
    "http2/hpack-dynamic-table.ts",
    "http2/hpack-encoder.ts",
    "http2/hpack-huffman.ts",
    "http2/repeated-blocks.ts",
  ],
  open: () => ({ run }),
};

function run(input: Buffer): void {
  const draw = new Draw(input);
  const options = { maxTableBytes: draw.pick([0, 100, 4_096, 65_536]), maxListBytes: MAX_LIST_BYTES };
  const isOctets = draw.chance(20);
  const blocks = Array.from({ length: 1 + draw.below(5) }, () =>
    isOctets ? draw.bytes(draw.below(80)) : drawBlock(draw),
  );
  if (draw.chance(30)) blocks.push(...blocks);
  const decoder = new HpackDecoder(options);
  const repeating = new RepeatingDecoder(options);
  const plain = new PlainHpackDecoder();
  const encoders = [new HpackEncoder(), new RepeatingEncoder()];
  const next = encoders.map(
    () => [new HpackDecoder({ maxListBytes: MAX_LIST_BYTES }), new PlainHpackDecoder()] as const,
  );
  for (const block of blocks) {
    const expected = decodePlainly(plain, block);
    const decoded = decode(decoder, block);
    deepStrictEqual(decode(repeating, block), decoded);
    if (decoded instanceof ConnectionError) {
      strictEqual(decoded.code, ErrorCode.COMPRESSION_ERROR);
      ok(expected === undefined || OWN_BOUNDS.test(decoded.message), `refused for nothing: ${decoded.message}`);
      return;
    }
    ok(expected !== undefined, "read, though a plain decoder refuses it");
    if (decoded.t === "tooLarge") {
      strictEqual(decoded.listBytes, listBytes(expected));
      continue;
    }
    deepStrictEqual(
      decoded.fields.map(({ name, value }) => [name, value]),
      expected,
    );
    for (const [index, encoder] of encoders.entries()) {
      const sent: Buffer = encoder.encode(decoded.fields);
      const [ours, theirs] = next[index]!;
      const again = ours.decode(sent);
      deepStrictEqual(again.t === "ok" && again.fields.map(bare), decoded.fields.map(bare));
      deepStrictEqual(theirs.decode(sent), expected);
    }
  }
}

function bare({ name, value, isSensitive }: { name: string; value: string; isSensitive: boolean }) {
  return [name, value, isSensitive];
}

function decode(decoder: { decode(block: Buffer): DecodedHeaders }, block: Buffer): DecodedHeaders | ConnectionError {
  try {
    return decoder.decode(block);
  } catch (reason) {
    if (reason instanceof ConnectionError) return reason;
    throw reason;
  }
}

/** Undefined for what is malformed. */
function decodePlainly(decoder: PlainHpackDecoder, block: Buffer): Field[] | undefined {
  try {
    return decoder.decode(block);
  } catch {
    return undefined;
  }
}

function listBytes(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}
