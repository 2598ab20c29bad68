/**
 * Lengths of the HPACK Huffman codes of the octets 0 to 255 and of EOS (RFC 7541
 * appendix B). The code is canonical, so the lengths determine it.
 */
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const EOS = 256;

/** Symbol by `length * 2^32 + code`. */
const SYMBOLS = canonicalCodes();

/** The octets of a Huffman-coded string, one character per octet. Throws on EOS and on bad padding. */
export function decodeHuffman(bytes: Uint8Array): string {
  let text = "";
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const symbol = SYMBOLS.get(length * 2 ** 32 + code);
      if (symbol === undefined) continue;
      if (symbol === EOS) throw new Error("EOS inside a Huffman string");
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  if (length > 7 || code !== 2 ** length - 1) throw new Error("a Huffman string ends in bad padding");
  return text;
}

function canonicalCodes(): Map<number, number> {
  const bySymbol = CODE_LENGTHS.map((length, symbol) => ({ length, symbol }));
  bySymbol.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  const symbols = new Map<number, number>();
  let code = 0;
  let previousLength = 0;
  for (const { length, symbol } of bySymbol) {
    code *= 2 ** (length - previousLength);
    symbols.set(length * 2 ** 32 + code, symbol);
    code++;
    previousLength = length;
  }
  return symbols;
}
