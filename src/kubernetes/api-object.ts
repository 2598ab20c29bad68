/** What every object has. The rest is as the server sent it: whoever reads it checks it. */
export interface ApiObject extends Readonly<Record<string, unknown>> {
  readonly metadata: {
    readonly name: string;
    /** Absent for types that are in no namespace. */
    readonly namespace?: string;
    readonly uid?: string;
    /** Absent only in what a test or a faulty server sends. */
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** An object as JSON gave it, or undefined where its name or its namespace is none. */
export function readApiObject(value: unknown): ApiObject | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, namespace = "" } = (value as { metadata?: { name?: unknown; namespace?: unknown } }).metadata ?? {};
  return typeof name === "string" && typeof namespace === "string" ? (value as ApiObject) : undefined;
}

/** `namespace/name`, or the name alone: no two objects of a type share it at one time. */
export function objectKey({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
