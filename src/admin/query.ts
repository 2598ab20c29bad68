import { RequestFault } from "./routes.ts";

/** Longest value of a parameter. */
const MAX_CHARACTERS = 4_096;

/**
 * The parameters of a query. One that is unknown, given twice or too long is a
 * fault, since a request that means something else than it says may end builds.
 */
export function readQuery<const K extends string>(
  query: URLSearchParams,
  names: readonly K[],
): Readonly<Partial<Record<K, string>>> {
  const values: Partial<Record<K, string>> = {};
  for (const [given, text] of query) {
    const name = names.find((known) => known === given);
    if (name === undefined) {
      const known = names.length === 0 ? "it takes none" : `there are: ${names.join(", ")}`;
      throw new RequestFault(400, `no such parameter; ${known}`);
    }
    if (values[name] !== undefined) throw new RequestFault(400, `${name} is given twice`);
    if (text.length > MAX_CHARACTERS)
      throw new RequestFault(400, `${name} is longer than ${MAX_CHARACTERS} characters`);
    values[name] = text;
  }
  return values;
}
