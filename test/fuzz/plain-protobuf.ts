/** One field, as protobuf's encoding has it (protobuf.dev, "Encoding"). */
export interface PlainField {
  readonly number: bigint;
  readonly wireType: number;
  readonly varint: bigint;
  readonly bytes: Buffer;
}

/** Cuts a message into its fields, unhurried, apart from the product's reader. Throws on what is none. */
export function readPlainFields(message: Buffer): PlainField[] {
  const fields: PlainField[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let octets = 0n; octets < 10n; octets++) {
      const octet = message[at++];
      if (octet === undefined) break;
      value |= BigInt(octet & 0x7f) << (7n * octets);
      if (octet < 0x80) return value;
    }
    throw new Error("varint without an end");
  };
  const octets = (count: bigint): Buffer => {
    if (count > BigInt(message.length - at)) throw new Error("past the end");
    const bytes = message.subarray(at, at + Number(count));
    at += bytes.length;
    return bytes;
  };
  while (at < message.length) {
    const tag = varint();
    const number = tag >> 3n;
    const wireType = Number(tag & 7n);
    if (number < 1n || number > 0x1fff_ffffn) throw new Error(`field ${number}`);
    let value = 0n;
    let bytes: Buffer = Buffer.alloc(0);
    if (wireType === 0) value = varint();
    else if (wireType === 1) octets(8n);
    else if (wireType === 2) bytes = octets(varint());
    else if (wireType === 5) octets(4n);
    else throw new Error(`wire type ${wireType}`);
    fields.push({ number, wireType, varint: value, bytes });
  }
  return fields;
}

/** Whether octets are UTF-8. */
export function isPlainUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8")).equals(bytes);
}
