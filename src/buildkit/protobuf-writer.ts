import { WireType } from "./protobuf-reader.ts";

/**
 * A length-delimited field, as it lies in a message (protobuf.dev, "Encoding").
 * Put behind a message it overrides that field there, or one entry of that map,
 * and leaves the rest as it is, fields unknown to us among it.
 */
export function lengthField(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + WireType.LENGTH), varint(bytes.length), bytes]);
}

/** One entry of a `map<string, string>`. */
export function mapEntryField(number: number, key: string, value: string): Buffer {
  return lengthField(number, Buffer.concat([lengthField(1, Buffer.from(key)), lengthField(2, Buffer.from(value))]));
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return Buffer.from([...octets, rest]);
}
