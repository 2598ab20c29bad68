/** An object as it is sent to an API server. */
export interface NewObject {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

/** An object as an API server keeps it. */
export interface StoredObject extends NewObject {
  apiVersion: string;
  kind: string;
}

/** A type that the stand-in serves. */
export interface StoredType {
  readonly group: string;
  readonly version: string;
  /** In paths: `endpointslices`. */
  readonly plural: string;
  readonly kind: string;
  /** Built-in types leave kind and version out of the items of a list; custom resources do not. */
  readonly isCustom: boolean;
}

/** What the gateway looks at. */
export const STORED_TYPES: readonly StoredType[] = [
  { group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice", isCustom: false },
  { group: "", version: "v1", plural: "pods", kind: "Pod", isCustom: false },
  { group: "", version: "v1", plural: "configmaps", kind: "ConfigMap", isCustom: false },
  { group: "", version: "v1", plural: "secrets", kind: "Secret", isCustom: false },
  { group: "", version: "v1", plural: "services", kind: "Service", isCustom: false },
  {
    group: "actions.github.com",
    version: "v1alpha1",
    plural: "ephemeralrunners",
    kind: "EphemeralRunner",
    isCustom: true,
  },
];

/** `discovery.k8s.io/v1`, or `v1`. */
export function apiVersionOf({ group, version }: Pick<StoredType, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}
