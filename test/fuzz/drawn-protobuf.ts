import type { Draw } from "./draw.ts";

/** How often a field goes wrong, of 100. */
const ODD_PERCENT = 3;

/** Make one field's content. */
type MakeContent = (draw: Draw) => Buffer;

/** A message of these fields in any order and number, a few of them not as they should be. */
export function drawMessage(draw: Draw, makers: Readonly<Record<number, MakeContent | "varint">>): Buffer {
  const numbers = Object.keys(makers).map(Number);
  const fields = draw.several(10, () => {
    const number = draw.chance(ODD_PERCENT) ? draw.pick([0, 99, 0x1fff_ffff, 0x2000_0000]) : draw.pick(numbers);
    const make = makers[number] ?? textContent;
    if (make === "varint" || draw.chance(ODD_PERCENT)) return varintField(number, draw);
    const content = make(draw);
    const claimed = draw.chance(ODD_PERCENT) ? draw.below(300) : content.length;
    return Buffer.concat([varint(number * 8 + (draw.chance(1) ? draw.below(8) : 2)), varint(claimed), content]);
  });
  const message = Buffer.concat(fields);
  return draw.chance(ODD_PERCENT) ? message.subarray(0, draw.below(message.length + 1)) : message;
}

/** A text, or octets that are none. */
export function textContent(draw: Draw): Buffer {
  return draw.chance(80)
    ? Buffer.from(draw.pick(["", "a", "b", "größe", "\ufffd", "x".repeat(30)]))
    : draw.bytes(draw.below(12));
}

/** One entry of a map of texts. */
export function entryContent(keys: readonly string[]): MakeContent {
  return (draw) => drawMessage(draw, { 1: (it) => Buffer.from(it.pick(keys)), 2: textContent });
}

function varintField(number: number, draw: Draw): Buffer {
  const value = draw.chance(80)
    ? varint(draw.below(3))
    : Buffer.concat([Buffer.alloc(draw.below(11), 0xff), Buffer.of(draw.below(128))]);
  return Buffer.concat([varint(number * 8), value]);
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return Buffer.from([...octets, rest]);
}
