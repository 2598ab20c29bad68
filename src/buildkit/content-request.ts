import { fieldText, readFields } from "./protobuf-reader.ts";

/**
 * Read the digest that a Content `InfoRequest` or `ReadContentRequest` asks
 * for; empty when it names none. Throws ProtobufError.
 */
export function readContentDigest(message: Buffer): string {
  let digest = "";
  for (const field of readFields(message)) if (field.number === 1) digest = fieldText(field);
  return digest;
}
