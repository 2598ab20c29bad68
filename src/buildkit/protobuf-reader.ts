/** Wire types (protobuf.dev, "Encoding"). Groups are refused: no BuildKit message has one. */
export const WireType = { VARINT: 0, FIXED64: 1, LENGTH: 2, FIXED32: 5 } as const;

/** One field of a message as it lies in memory. */
export interface WireField {
  readonly number: number;
  readonly wireType: number;
  /** The value of a varint; 0 otherwise. Exact up to 2^53. */
  readonly varint: number;
  /** The octets of a length-delimited field, not copied; empty otherwise. */
  readonly bytes: Buffer;
}

/** Bytes that are not a protobuf message. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtobufError";
  }
}

const NO_BYTES = Buffer.alloc(0);

/** Fields of one request, nested ones included. Real ones have hundreds; each costs time on the only thread. */
const MAX_FIELDS = 100_000;

/** How many more fields will be read. Shared by a message and those nested in it. */
export interface FieldBudget {
  left: number;
}

/** For one request. */
export function fieldBudget(): FieldBudget {
  return { left: MAX_FIELDS };
}

/**
 * Walk the fields of a message without decoding what is inside them.
 *
 * A Solve carries a definition of up to 16 MiB that the gateway has no use
 * for: this steps over it. Throws ProtobufError on malformed input, and where
 * the budget is used up.
 */
export function* readFields(message: Buffer, budget: FieldBudget = fieldBudget()): Generator<WireField> {
  let at = 0;
  while (at < message.length) {
    if (budget.left-- <= 0) throw new ProtobufError(`more than ${MAX_FIELDS} fields`);
    const tag = readVarint(message, at);
    at = tag.end;
    const number = Math.floor(tag.value / 8);
    const wireType = tag.value % 8;
    if (number < 1 || number > 0x1fff_ffff) throw new ProtobufError(`field number ${number}`);
    switch (wireType) {
      case WireType.VARINT: {
        const { value, end } = readVarint(message, at);
        at = end;
        yield { number, wireType, varint: value, bytes: NO_BYTES };
        break;
      }
      case WireType.LENGTH: {
        const { value: length, end: start } = readVarint(message, at);
        if (length > message.length - start) throw new ProtobufError(`field ${number} runs past the end`);
        at = start + length;
        yield { number, wireType, varint: 0, bytes: message.subarray(start, at) };
        break;
      }
      case WireType.FIXED64:
      case WireType.FIXED32: {
        at += wireType === WireType.FIXED64 ? 8 : 4;
        if (at > message.length) throw new ProtobufError(`field ${number} runs past the end`);
        yield { number, wireType, varint: 0, bytes: NO_BYTES };
        break;
      }
      default:
        throw new ProtobufError(`field ${number} has wire type ${wireType}`);
    }
  }
}

/** The text of a length-delimited field. Throws ProtobufError where it is something else or not UTF-8. */
export function fieldText(field: WireField): string {
  if (field.wireType !== WireType.LENGTH) throw new ProtobufError(`field ${field.number} is not a string`);
  const text = field.bytes.toString("utf8");
  if (text.includes("\ufffd") && !isUtf8(field.bytes)) throw new ProtobufError(`field ${field.number} is not UTF-8`);
  return text;
}

/** The field itself. Throws ProtobufError where it has another wire type. */
export function requireType(field: WireField, wireType: number): WireField {
  if (field.wireType !== wireType) throw new ProtobufError(`field ${field.number} has wire type ${field.wireType}`);
  return field;
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function readVarint(message: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  let scale = 1;
  for (let at = start; at < message.length && at < start + 10; at++) {
    const octet = message[at]!;
    value += (octet & 0x7f) * scale;
    if (octet < 0x80) return { value, end: at + 1 };
    scale *= 128;
  }
  throw new ProtobufError("varint without an end");
}
