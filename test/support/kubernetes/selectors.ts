import type { StoredObject } from "./stored-object.ts";

/** Which objects a request is about: those of its namespace that its selectors name. Only equality is understood. */
export function selectorOf(namespace: string | undefined, query: URLSearchParams): (object: StoredObject) => boolean {
  const labels = pairsOf(query.get("labelSelector"));
  const fields = pairsOf(query.get("fieldSelector"));
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    labels.every(([name, value]) => object.metadata.labels?.[name] === value) &&
    fields.every(([path, value]) => fieldOf(object, path) === value);
}

function pairsOf(selector: string | null): [string, string][] {
  if (!selector) return [];
  return selector.split(",").map((pair) => {
    const [, name, value] = /^([^=!]+)==?(.*)$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) throw new Error(`the stand-in does not understand ${pair}`);
    return [name, value];
  });
}

function fieldOf(object: StoredObject, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}
