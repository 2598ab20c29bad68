import { readFileSync } from "node:fs";

/** A Secret or ConfigMap that the operator provides, by the table of docs/kubernetes.md. */
export interface YourObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** What docs/kubernetes.md says that the operator must provide, row by row: | Secret `name` | `namespace` | … */
export function yourObjects(): YourObject[] {
  const text = readFileSync(new URL("../../../docs/kubernetes.md", import.meta.url), "utf8");
  const rows = text.matchAll(/^\| (Secret|ConfigMap) `([^`]+)` \| `([^`]+)`/gm);
  return [...rows].map(([, kind, name, namespace]) => ({ kind: kind!, name: name!, namespace: namespace! }));
}
