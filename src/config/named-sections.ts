import { z } from "zod";
import { isMap, typeMessage } from "./structure.ts";
import { quote } from "./value-types.ts";

/** How the names of sections are written. */
export interface SectionNames {
  readonly pattern: RegExp;
  /** What each is: `pool`. */
  readonly noun: string;
  /** How to write a name. */
  readonly hint: string;
}

/** Sections of one kind by names that the operator chooses, in the order of the file; absent or empty: none. */
export function namedSections<T extends z.ZodType>(schema: T, { pattern, noun, hint }: SectionNames) {
  const fault = (name: string) => ({
    code: "custom" as const,
    message: `not a ${noun} name: ${quote(name)} (${hint})`,
    path: [name],
  });
  return z.preprocess(
    (input, context) => {
      // A record leaves this key out without a word.
      if (isMap(input) && Object.hasOwn(input, "__proto__")) context.addIssue(fault("__proto__"));
      return input ?? {};
    },
    z
      .record(z.string(), schema, typeMessage(`not a map of ${noun}s (write a name, and its keys below it)`))
      .superRefine(
        (sections, context) => {
          for (const name of Object.keys(sections)) if (!pattern.test(name)) context.addIssue(fault(name));
        },
        { when: ({ value }) => isMap(value) },
      ),
  );
}
