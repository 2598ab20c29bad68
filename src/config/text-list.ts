import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** Several texts of one kind, none twice. `hint`: how to write one. */
export function textList(label: string, isValid: (text: string) => boolean, hint: string) {
  const read = (input: unknown): string => {
    if (typeof input === "string" && isValid(input)) return input;
    throw new Error(`not a ${label}: ${quote(input)} (${hint})`);
  };
  return list(value(label, read), { label, writeItem: String }, (text) => [quote(text)]);
}
