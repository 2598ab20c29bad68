import { ApiFailure } from "./api-failure.ts";
import { type ApiServer, requestJson } from "./api-request.ts";
import { type Resource, resourcePath } from "./resource.ts";

/** etcd takes objects of 1.5 MiB (etcd.io, "System limits"); JSON may be longer. */
const MAX_OBJECT_BYTES = 4 << 20;

/** Which object is meant. */
export interface ObjectReference {
  readonly resource: Resource;
  readonly name: string;
}

/** Read one object. Rejects with {@link ApiFailure}, of kind `missing` where there is none. */
export async function getObject(
  server: ApiServer,
  { resource, name }: ObjectReference,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const path = resourcePath(resource, name);
  return readObject(await requestJson(server, { method: "GET", path, signal }, MAX_OBJECT_BYTES));
}

/**
 * Change parts of one object by a JSON merge patch (RFC 7396). With its uid among
 * them the patch is for that very object: another one of the name is a `conflict`.
 *
 * Rejects with {@link ApiFailure}.
 */
export async function patchObject(
  server: ApiServer,
  { resource, name }: ObjectReference,
  patch: object,
  signal: AbortSignal,
): Promise<void> {
  const body = { contentType: "application/merge-patch+json", text: JSON.stringify(patch) };
  await requestJson(server, { method: "PATCH", path: resourcePath(resource, name), body, signal }, MAX_OBJECT_BYTES);
}

function readObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new ApiFailure("unreadable", "the answer is not an object");
}
