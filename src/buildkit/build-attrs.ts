import { type FieldBudget, fieldText, readFields, requireType, type WireField, WireType } from "./protobuf-reader.ts";

/** Options of a frontend that say what is built; others (build arguments among them) are stepped over. */
export const READ_ATTRS: ReadonlySet<string> = new Set(["vcs:source", "vcs:localdir:context", "context"]);

/** A key as text, and the value as it lies there: buildkitd takes build arguments that are not UTF-8. */
export function readMapEntry(entry: WireField, budget: FieldBudget): { key: string; value: WireField | undefined } {
  let key = "";
  let value: WireField | undefined;
  for (const field of readFields(requireType(entry, WireType.LENGTH).bytes, budget)) {
    if (field.number === 1) key = requireType(field, WireType.LENGTH).bytes.toString("utf8");
    else if (field.number === 2) value = field;
  }
  return { key, value };
}

/** A map entry's value as text; empty where it has none. Throws ProtobufError where it is not UTF-8. */
export function entryText(value: WireField | undefined): string {
  return value === undefined ? "" : fieldText(value);
}

/** Image names of an `Exporter`: its attribute `name`, comma-separated. */
export function* exporterImageNames(exporter: WireField, budget: FieldBudget): Generator<string> {
  for (const field of readFields(requireType(exporter, WireType.LENGTH).bytes, budget)) {
    if (field.number === 2) yield* attrImageNames(field, budget);
  }
}

/** Image names of one attribute of an exporter; none where it is another than `name`. */
export function* attrImageNames(attr: WireField, budget: FieldBudget): Generator<string> {
  const { key, value } = readMapEntry(attr, budget);
  const name = key === "name" ? entryText(value) : "";
  if (name !== "") yield name;
}
