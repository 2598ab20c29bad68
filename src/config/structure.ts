import { z } from "zod";
import { type ValueType, valueTypes } from "./value-types.ts";

/** Most items of a list: each is read and checked, even of a text that no file bounds. */
const MAX_ITEMS = 10_000;

/** Report a fault that concerns more than one key of a section, at a key or below it. */
export type ReportFault = (at: string | readonly string[], message: string) => void;

/**
 * A group of keys. Unknown keys are errors; an absent or empty section is all defaults.
 *
 * `check` looks across its keys, and runs even when one of them is wrong, so that
 * an operator sees everything at once: a key that is given but wrong is defined.
 */
export function section<T extends z.ZodRawShape>(
  shape: T,
  check: (keys: Readonly<Record<string, unknown>>, report: ReportFault) => void = () => {},
) {
  const schema = z.strictObject(shape, typeMessage("not a section (write its keys below it, indented)")).superRefine(
    (keys, context) => {
      check(keys, (at, message) => context.addIssue({ code: "custom", message, path: [at].flat() }));
    },
    { when: ({ value }) => isMap(value) },
  );
  return z.preprocess((input) => input ?? {}, schema);
}

/**
 * Several values: a YAML list, or one text with commas between them.
 *
 * No two items may share an identity; the default gives each item none.
 */
export function list<T extends z.ZodType>(
  item: T,
  type: Omit<ValueType, "isList" | "write"> & { readonly writeItem: (item: z.output<T>) => string },
  identities: (item: z.output<T>) => readonly string[] = () => [],
) {
  const items = z.array(item, typeMessage("not a list")).superRefine((parsed, context) => {
    const seen = new Set<string>();
    for (const [index, one] of parsed.entries()) {
      for (const identity of identities(one)) {
        if (seen.has(identity))
          context.addIssue({ code: "custom", message: `${identity} is given twice`, path: [index] });
        seen.add(identity);
      }
    }
  });
  return z.preprocess(splitText, items).register(valueTypes, {
    label: type.label,
    write: (parsed) => (parsed as z.output<T>[]).map(type.writeItem).join(","),
    isList: true,
  });
}

/** Whether a list, a map or a value is there at all; one that is wrong is. */
export function isGiven(keys: unknown): boolean {
  if (keys === undefined || keys === null || keys === "") return false;
  return typeof keys !== "object" || Object.keys(keys).length > 0;
}

/** Whether it is what a YAML map becomes. */
export function isMap(input: unknown): input is object {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** What to say when a value is of another type altogether; other faults keep their own message. */
export function typeMessage(message: string) {
  return { error: ({ code }: { readonly code: string }) => (code === "invalid_type" ? message : undefined) };
}

/** The parts of a comma-separated text; anything else is left for the schema to judge, but what is too long for it. */
function splitText(input: unknown, context: z.core.$RefinementCtx): unknown {
  const items = typeof input === "string" ? input.split(",", MAX_ITEMS + 1).map((part) => part.trim()) : input;
  if (!Array.isArray(items) || items.length <= MAX_ITEMS) return items;
  context.addIssue({ code: "custom", message: `more than ${MAX_ITEMS} items` });
  return [];
}
