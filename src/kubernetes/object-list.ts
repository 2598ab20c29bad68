import { ApiFailure } from "./api-failure.ts";
import { type ApiObject, readApiObject } from "./api-object.ts";
import { type ApiServer, requestJson } from "./api-request.ts";
import { type Resource, resourcePath, type Selection } from "./resource.ts";

/** What to list. */
export interface ListOptions {
  readonly resource: Resource;
  readonly selection: Selection;
  /** Objects that are taken; where there are more, the list fails. */
  readonly maxObjects: number;
  readonly signal: AbortSignal;
}

/** Objects that one answer holds at most: it is parsed in one go, during which nothing else happens. */
const PAGE_OBJECTS = 500;

/** Largest answer: 500 pods take 5 to 10 MiB. */
const MAX_PAGE_BYTES = 64 << 20;

/**
 * List a collection in pages, handing over each object at once so that only what
 * is wanted of it needs to be kept; resolves with the resource version that a watch
 * goes on from.
 *
 * Rejects with {@link ApiFailure}, of kind `gone` where the server forgot the list
 * half way: it must begin anew (kubernetes.io, "API concepts", Retrieving large results in chunks).
 */
export async function listObjects(
  server: ApiServer,
  { resource, selection, maxObjects, signal }: ListOptions,
  onObject: (object: ApiObject) => void,
): Promise<string> {
  const path = resourcePath(resource);
  let continueToken = "";
  let count = 0;
  for (;;) {
    const query = {
      ...selection,
      limit: String(PAGE_OBJECTS),
      ...(continueToken !== "" && { continue: continueToken }),
    };
    const page = readPage(await requestJson(server, { method: "GET", path, query, signal }, MAX_PAGE_BYTES));
    count += page.items.length;
    if (count > maxObjects) throw new ApiFailure("unreadable", `more than ${maxObjects} objects`);
    for (const item of page.items) {
      const object = readApiObject(item);
      if (object) onObject(object);
    }
    if (page.continueToken === "") return page.resourceVersion;
    if (page.items.length === 0 || page.continueToken === continueToken) {
      throw new ApiFailure("unreadable", "a list that goes on without objects");
    }
    continueToken = page.continueToken;
  }
}

interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Empty on the last one. */
  readonly continueToken: string;
}

function readPage(value: unknown): Page {
  const { items, metadata } = (value ?? {}) as { items?: unknown; metadata?: Record<string, unknown> };
  const { resourceVersion, continue: continueToken = "" } = metadata ?? {};
  const isList = Array.isArray(items) || items === null;
  if (!isList || typeof resourceVersion !== "string" || typeof continueToken !== "string") {
    throw new ApiFailure("unreadable", "the answer is not a list");
  }
  return { items: items ?? [], resourceVersion, continueToken };
}
