/** A header field for a test: name and value, one character per octet. */
export type Field = readonly [name: string, value: string];

/** How a literal is represented (RFC 7541 §6.2): the first byte's pattern and the prefix left for an index. */
const LITERAL = {
  withoutIndexing: { pattern: 0x00, prefixBits: 4 },
  neverIndexed: { pattern: 0x10, prefixBits: 4 },
  incremental: { pattern: 0x40, prefixBits: 6 },
} as const;

/** One of the three literal representations. */
export type LiteralKind = keyof typeof LITERAL;

/** An HPACK integer (RFC 7541 §5.1) after `pattern` in its first byte. */
export function encodeInteger(value: number, prefixBits: number, pattern = 0): Buffer {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) return Buffer.of(pattern | value);
  const bytes = [pattern | limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A block of literals with literal names, never Huffman-coded. Only `incremental` touches the peer's table. */
export function encodeFields(fields: readonly Field[], kind: LiteralKind = "withoutIndexing"): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(LITERAL[kind].pattern), encodeText(name), encodeText(value)]),
  );
}

/** A block of indexed fields (RFC 7541 §6.1); 1 to 61 are static, 62 is what was added last. */
export function encodeIndexed(indexes: readonly number[]): Buffer {
  return Buffer.concat(indexes.map((index) => encodeInteger(index, 7, 0x80)));
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([encodeInteger(bytes.length, 7), bytes]);
}
