/** A type of object that an API server serves, everywhere or in one namespace. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The type's name in paths and rules, such as `endpointslices`. */
  readonly name: string;
  /** Absent: objects of all namespaces, or a type that has none. */
  readonly namespace?: string;
}

/** Narrows a list or a watch. */
export interface Selection {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** The path of a type's collection, or of one object in it (kubernetes.io, "API concepts", Resource URIs). */
export function resourcePath({ group, version, name, namespace }: Resource, object?: string): string {
  const root = group === "" ? ["api", version] : ["apis", group, version];
  const within = namespace === undefined ? [] : ["namespaces", namespace];
  const parts = [...root, ...within, name, ...(object === undefined ? [] : [object])];
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}

/** A type as people and RBAC's error messages write it: `endpointslices.discovery.k8s.io`, `pods`. */
export function qualifiedName({ group, name }: Resource): string {
  return group === "" ? name : `${name}.${group}`;
}
