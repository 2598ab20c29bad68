import type { Draw } from "./draw.ts";

/** A text of words that mean something, characters, and octets that are no text. */
export function drawText(draw: Draw, words: readonly string[]): string {
  const parts = draw.several(12, () => {
    if (draw.chance(60)) return draw.pick(words);
    if (draw.chance(70)) return String.fromCharCode(0x61 + draw.below(26)).repeat(1 + draw.below(4));
    return draw.bytes(draw.below(6)).toString(draw.chance(50) ? "latin1" : "utf8");
  });
  // What costs more than its length shows when it is repeated.
  return draw.chance(3) ? parts.join("").repeat(draw.below(400)) : parts.join("");
}
