import { apiVersionOf, type StoredObject, type StoredType } from "./stored-object.ts";

/** Which page of a list. */
export interface PageOptions {
  /** Empty for the first one. */
  readonly token: string;
  /** 0: all in one. */
  readonly limit: number;
  readonly version: number;
  /** With a selector, servers do not say how many remain. */
  readonly isSelected: boolean;
}

/** One page as a server sends it: its continue token says where the next one begins. */
export function listPage(type: StoredType, objects: readonly StoredObject[], options: PageOptions): object {
  const { token, limit, version, isSelected } = options;
  const start = token === "" ? 0 : Number(JSON.parse(Buffer.from(token, "base64url").toString()).start);
  const end = limit === 0 ? objects.length : start + limit;
  const next = Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: version, start: end })).toString("base64url");
  const remaining = objects.length - end;
  return {
    kind: `${type.kind}List`,
    apiVersion: apiVersionOf(type),
    metadata: {
      resourceVersion: String(version),
      ...(remaining > 0 && { continue: next, ...(!isSelected && { remainingItemCount: remaining }) }),
    },
    items: objects
      .slice(start, end)
      .map(({ kind, apiVersion, ...rest }) => (type.isCustom ? { kind, apiVersion, ...rest } : rest)),
  };
}
