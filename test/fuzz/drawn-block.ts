import { type BlockString, encodeHuffman, headerBlock, type Representation } from "../support/hpack-blocks.ts";
import type { Draw } from "./draw.ts";

const NAMES = ["x-a", "content-type", "grpc-status", ":path", "te", "X-Upper", "cookie"];

const BAD_ENDS = [[], [0], [0xff], [0xfe], [0xff, 0xff, 0xff, 0xff]].map((octets) => Buffer.from(octets));

/** A header block made of representations, right for the most part; `begin` comes before all fields. */
export function drawBlock(draw: Draw, begin: Buffer = Buffer.alloc(0)): Buffer {
  const sizes = draw.chance(20)
    ? draw.several(
        3,
        (): Representation => ({ t: "tableSize", bytes: draw.pick([0, 31, 64, 200, 4_096, 4_097, 65_536]) }),
      )
    : [];
  const fields = draw.several(12, () => drawRepresentation(draw));
  const block = Buffer.concat([headerBlock(...sizes), begin, headerBlock(...fields)]);
  if (!draw.chance(10)) return block;
  return draw.chance(50) ? block.subarray(0, draw.below(block.length + 1)) : Buffer.concat([block, draw.bytes(4)]);
}

function drawRepresentation(draw: Draw): Representation {
  if (draw.chance(2)) return { t: "tableSize", bytes: draw.below(5_000) };
  if (draw.chance(35)) return { t: "indexed", index: drawIndex(draw) };
  return {
    t: "literal",
    kind: draw.pick(["indexed", "indexed", "notIndexed", "neverIndexed"]),
    name: draw.chance(50) ? Math.max(1, drawIndex(draw)) : drawString(draw, NAMES),
    value: drawString(draw, ["", "0", "a value", "gzip, deflate"]),
  };
}

/** Of the static table, of the newest dynamic entries, and now and then of none. */
function drawIndex(draw: Draw): number {
  if (draw.chance(5)) return draw.pick([0, 127, 128, 500, 2 ** 21, 2 ** 28, 2 ** 30]);
  if (draw.chance(50)) return 62 + draw.below(draw.chance(20) ? 140 : 6);
  return 1 + draw.below(61);
}

function drawString(draw: Draw, usual: readonly string[]): BlockString {
  const isHuffman = draw.chance(50);
  if (draw.chance(60)) return { octets: Buffer.from(draw.pick(usual)), isHuffman };
  // Codes as they may not be: their padding is too long, or has a zero in it, or is the end-of-string symbol.
  if (draw.chance(10)) {
    const code = encodeHuffman(Buffer.from(draw.pick(usual)));
    return { octets: Buffer.concat([code, draw.pick(BAD_ENDS)]), isHuffman: true, isCoded: true };
  }
  if (draw.chance(1)) return { octets: Buffer.alloc(draw.below(9_000), draw.byte()), isHuffman };
  return { octets: draw.bytes(draw.below(24)), isHuffman };
}
