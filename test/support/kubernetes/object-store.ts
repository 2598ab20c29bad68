import { randomUUID } from "node:crypto";
import { apiVersionOf, type NewObject, type StoredObject, type StoredType } from "./stored-object.ts";

/** One change, as a watch tells it. */
export interface StoredChange {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
  readonly version: number;
}

/** Objects of one type with their history: what etcd and the watch cache keep. */
export class ObjectStore {
  readonly type: StoredType;
  readonly #objects = new Map<string, StoredObject>();
  readonly #nextVersion: () => number;
  readonly #onChange = new Set<(change: StoredChange) => void>();
  #history: StoredChange[] = [];
  /** Changes up to this version are forgotten. */
  compactedVersion = 0;

  /** `nextVersion`: all types count together. */
  constructor(type: StoredType, nextVersion: () => number) {
    this.type = type;
    this.#nextVersion = nextVersion;
  }

  /** All, by namespace and name. */
  all(): readonly StoredObject[] {
    return [...this.#objects].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, object]) => object);
  }

  find(namespace: string | undefined, name: string): StoredObject | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  /** Create or replace an object; what a server sets is set. */
  put(object: NewObject): StoredObject {
    const { name, namespace } = object.metadata;
    const key = keyOf(namespace, name);
    const was = this.#objects.get(key);
    const version = this.#nextVersion();
    const stored = {
      kind: this.type.kind,
      apiVersion: apiVersionOf(this.type),
      ...structuredClone(object),
      metadata: {
        uid: randomUUID(),
        creationTimestamp: "2026-11-25T08:00:00Z",
        ...was?.metadata,
        ...structuredClone(object.metadata),
        generation: (was?.metadata.generation ?? 0) + 1,
        resourceVersion: String(version),
        managedFields: [
          {
            manager: "kube-controller-manager",
            operation: "Update",
            apiVersion: apiVersionOf(this.type),
            time: "2026-11-25T08:00:00Z",
            fieldsType: "FieldsV1",
            fieldsV1: { "f:metadata": { "f:labels": { ".": {} }, "f:ownerReferences": { ".": {} } } },
          },
        ],
      },
    } as StoredObject;
    this.#objects.set(key, stored);
    this.#changed({ type: was ? "MODIFIED" : "ADDED", object: stored, version });
    return stored;
  }

  remove(namespace: string | undefined, name: string): void {
    const was = this.#objects.get(keyOf(namespace, name));
    if (!was) throw new Error(`no ${this.type.kind} ${name}`);
    this.#objects.delete(keyOf(namespace, name));
    const version = this.#nextVersion();
    const object = { ...was, metadata: { ...was.metadata, resourceVersion: String(version) } };
    this.#changed({ type: "DELETED", object, version });
  }

  /** Changes after a version, oldest first. */
  since(version: number): readonly StoredChange[] {
    return this.#history.filter((change) => change.version > version);
  }

  /** Forget the history up to now, as compaction does. */
  compact(version: number): void {
    this.compactedVersion = version;
    this.#history = [];
  }

  onChange(listener: (change: StoredChange) => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  #changed(change: StoredChange): void {
    this.#history.push(change);
    for (const listener of [...this.#onChange]) listener(change);
  }
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
