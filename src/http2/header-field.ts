/**
 * One header field as it crosses the switch. Names and values are byte strings:
 * one character per octet (latin1), so nothing is lost or re-encoded on the way.
 *
 * Order and repetition carry meaning (`x-docker-expose-session-grpc-method`
 * occurs up to 13 times), so a header list is an array of these, never a map.
 */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** Received as "never indexed" (RFC 7541 §6.2.3), and sent on as such. */
  readonly isSensitive: boolean;
}

/** The first value of `name`, which must be lower case. */
export function headerValue(fields: readonly HeaderField[], name: string): string | undefined {
  for (const field of fields) if (field.name === name) return field.value;
  return undefined;
}

/** Every value of `name`, which must be lower case, in order. */
export function headerValues(fields: readonly HeaderField[], name: string): string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

/** The list with one field of `name` at its end in place of all that it has; `undefined`: with none. */
export function withHeader(
  fields: readonly HeaderField[],
  name: string,
  value: string | undefined,
): readonly HeaderField[] {
  const others = fields.filter((field) => field.name !== name);
  return value === undefined ? others : [...others, { name, value, isSensitive: false }];
}
