import { createHash } from "node:crypto";
import type { FileContent } from "../base/bounded-file.ts";
import { ApiFailure, type FailureKind } from "../kubernetes/api-failure.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { neededRole } from "../kubernetes/needed-role.ts";
import { getObject } from "../kubernetes/object-calls.ts";
import type { Resource } from "../kubernetes/resource.ts";
import { isCertificateName } from "./certificate-name.ts";

/** An object of Kubernetes that holds certificates. */
export interface ObjectSource {
  readonly kind: "configmap" | "secret";
  readonly namespace: string;
  readonly name: string;
  /** The only key that counts. Absent: all with the names of certificates. */
  readonly key?: string;
}

/** What an object came to: the content of its keys, or why there is none. */
export type ObjectOutcome =
  | { readonly t: "read"; readonly files: readonly ObjectFile[] }
  | { readonly t: "failed"; readonly kind: FailureKind; readonly reason: string };

/** One key of an object. */
export interface ObjectFile {
  /** `configmap:buildkit/sonda-red/ca.crt`. */
  readonly name: string;
  readonly content: FileContent;
}

/** `namespace/name/key`: a label, a subdomain, and what a key may be (RFC 1123; kubernetes.io, "ConfigMaps"). */
const REFERENCE =
  /^(configmap|secret):([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?:\/([A-Za-z0-9._-]{1,253}))?$/;

/** Whether a text names an object, rightly or not, and no file: write `./configmap:x` for a file of that name. */
export function looksLikeObject(text: string): boolean {
  return /^(configmap|secret):/.test(text);
}

/** Read `configmap:namespace/name[/key]` or `secret:namespace/name[/key]`; undefined for anything else. */
export function readObjectSource(text: string): ObjectSource | undefined {
  const [, kind, namespace, name, key] = REFERENCE.exec(text) ?? [];
  if (kind === undefined) return undefined;
  return {
    kind: kind as ObjectSource["kind"],
    namespace: namespace!,
    name: name!,
    ...(key !== undefined && { key }),
  };
}

/** An object as {@link readObjectSource} reads it. */
export function writeObjectSource({ kind, namespace, name, key }: ObjectSource): string {
  return `${kind}:${namespace}/${name}${key === undefined ? "" : `/${key}`}`;
}

/** Ask for an object. A key that is named but not there is `absent`; what the API server says is a value. */
export async function readObject(server: ApiServer, source: ObjectSource, signal: AbortSignal): Promise<ObjectOutcome> {
  try {
    const object = await getObject(server, { resource: resourceOf(source), name: source.name }, signal);
    const plain = source.kind === "configmap" ? textsOf(object.data) : [];
    const encoded = textsOf(source.kind === "configmap" ? object.binaryData : object.data);
    const bytes = new Map([
      ...plain.map(([key, text]) => [key, Buffer.from(text)] as const),
      ...encoded.map(([key, text]) => [key, Buffer.from(text, "base64")] as const),
    ]);
    const keys = source.key === undefined ? [...bytes.keys()].filter(isCertificateName).sort() : [source.key];
    return { t: "read", files: keys.map((key) => fileOf({ ...source, key }, bytes.get(key))) };
  } catch (reason) {
    if (!(reason instanceof ApiFailure)) throw reason;
    return { t: "failed", kind: reason.kind, reason: reason.message };
  }
}

/**
 * Follow what an object holds: the result changes with it. While the API server is away, what was seen last stays.
 *
 * By asking, which takes the right to get that one object and no other; a watch would need to list them.
 */
export function objectSignature(server: ApiServer, source: ObjectSource, signal: AbortSignal): () => Promise<string> {
  let seen: string | undefined;
  return async () => {
    const outcome = await readObject(server, source, signal);
    const isAway = outcome.t === "failed" && (outcome.kind === "unreachable" || outcome.kind === "busy");
    if (isAway && seen !== undefined) return seen;
    seen = outcome.t === "failed" ? outcome.kind : digestOf(outcome.files);
    return seen;
  };
}

/**
 * The role that allows to get all these objects of the kind and namespace of the first, as YAML to be applied.
 *
 * All, not only the refused one: a role of the same name is replaced.
 */
export function roleForObjects(refused: ObjectSource, all: readonly ObjectSource[], refusal: string): string {
  const { kind, namespace } = refused;
  const names = all.filter((other) => other.kind === kind && other.namespace === namespace).map(({ name }) => name);
  return neededRole(resourceOf(refused), ["get"], refusal, [...new Set(names)]);
}

function resourceOf({ kind, namespace }: ObjectSource): Resource {
  return { group: "", version: "v1", name: `${kind}s`, namespace };
}

function textsOf(map: unknown): [string, string][] {
  if (typeof map !== "object" || map === null) return [];
  return Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

function fileOf(source: ObjectSource, bytes: Buffer | undefined): ObjectFile {
  return { name: writeObjectSource(source), content: bytes === undefined ? { t: "absent" } : { t: "read", bytes } };
}

function digestOf(files: readonly ObjectFile[]): string {
  const hash = createHash("sha256");
  for (const { name, content } of files) {
    hash.update(`${name} ${content.t === "read" ? content.bytes.length : content.t} `);
    if (content.t === "read") hash.update(content.bytes);
  }
  return hash.digest("hex");
}
