import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { type FileContent, faultOf, readBounded } from "../base/bounded-file.ts";
import { readPem } from "../base/pem.ts";
import { errorText } from "../base/system-error.ts";
import type { BundlePart } from "./bundle.ts";
import { type FileRemark, type FoundCertificate, findCertificates } from "./certificate-file.ts";
import { isCertificateName } from "./certificate-name.ts";
import { type ObjectOutcome, type ObjectSource, roleForObjects, writeObjectSource } from "./object-source.ts";
import { findSystemBundle, SYSTEM_BUNDLES } from "./system-roots.ts";

/** A place to take certificates from. */
export type TrustSource =
  /** A file, or a folder whose files with the names of certificates are read; not those of its subfolders. */
  | { readonly t: "path"; readonly path: string }
  /** A ConfigMap or Secret. */
  | { readonly t: "object"; readonly object: ObjectSource }
  /** The bundle of the system that this program runs on. */
  | { readonly t: "system" }
  /** Mozilla's roots, as this Node was built with (`tls.rootCertificates`). */
  | { readonly t: "node_roots" };

/** How sources are read. */
export interface GatherOptions {
  /** Opens PKCS#12. */
  readonly password?: string;
  /** Asks for objects. Needed where a source is one. */
  readonly readObject?: (source: ObjectSource) => Promise<ObjectOutcome>;
  /** Most certificates of all sources together. Default 10,000. */
  readonly maxCertificates?: number;
}

/** Everything that the sources hold, or what is wrong with them. */
export interface Gathered {
  readonly parts: readonly BundlePart[];
  readonly errors: readonly FileRemark[];
  readonly warnings: readonly FileRemark[];
  /** Roles to apply, as YAML, where the API server refused to show an object. */
  readonly roles: readonly string[];
}

/** One file of a source. */
interface SourceFile {
  readonly name: string;
  readonly read: () => Promise<FileContent>;
}

/** The files of a source, or what is wrong with it. */
interface SourceFiles {
  readonly files: readonly SourceFile[];
  readonly faults: readonly FileRemark[];
  readonly roles?: readonly string[];
}

/** Most entries of a folder that are looked at. */
const MAX_FOLDER_ENTRIES = 10_000;

const DEFAULT_MAX_CERTIFICATES = 10_000;

/**
 * Read all sources, and tell everything that is wrong with them at once.
 *
 * A folder's hidden entries are passed over, so that a mounted ConfigMap, whose files are links into a hidden
 * folder, is read once. A folder or bundle without any certificate is an error: it was named to have some.
 */
export async function gatherSources(sources: readonly TrustSource[], options: GatherOptions = {}): Promise<Gathered> {
  const parts: BundlePart[] = [];
  const errors: FileRemark[] = [];
  const warnings: FileRemark[] = [];
  const roles = new Set<string>();
  const objects = sources.flatMap((source) => (source.t === "object" ? [source.object] : []));
  let left = options.maxCertificates ?? DEFAULT_MAX_CERTIFICATES;
  for (const source of sources) {
    const certificates: FoundCertificate[] = [];
    const { files, faults, roles: needed = [] } = await filesOf(source, objects, options);
    errors.push(...faults);
    for (const role of needed) roles.add(role);
    for (const file of files) {
      const outcome = await readSource(file, source, { ...options, maxCertificates: left });
      if (outcome.t === "malformed") {
        errors.push(outcome.fault);
        continue;
      }
      certificates.push(...outcome.certificates);
      warnings.push(...outcome.remarks);
      left -= outcome.certificates.length;
    }
    const isEmpty = certificates.length === 0 && faults.length === 0 && errors.length === 0;
    if (isEmpty) errors.push({ file: nameOf(source), position: "", reason: "no certificate in it" });
    parts.push({ certificates, isSystem: source.t === "system" || source.t === "node_roots" });
  }
  return { parts, errors, warnings, roles: [...roles] };
}

async function readSource(
  { name, read }: SourceFile,
  source: TrustSource,
  options: GatherOptions & { maxCertificates: number },
) {
  if (source.t === "node_roots") return builtInRoots(name);
  const content = await read();
  if (content.t === "read") return await findCertificates(name, content.bytes, options);
  const isKey = source.t === "object" && content.t === "absent";
  const reason = isKey ? "the object has no such key" : faultOf(content);
  return { t: "malformed" as const, fault: { file: name, position: "", reason } };
}

function builtInRoots(file: string) {
  const pem = readPem(Buffer.from(rootCertificates.join("\n"), "latin1"), DEFAULT_MAX_CERTIFICATES);
  const blocks = pem.t === "blocks" ? pem.blocks : [];
  const certificates = blocks.map(({ der }, index) => ({ der, file, position: `certificate ${index + 1}` }));
  return { t: "found" as const, certificates, remarks: [] };
}

async function filesOf(
  source: TrustSource,
  objects: readonly ObjectSource[],
  options: GatherOptions,
): Promise<SourceFiles> {
  switch (source.t) {
    case "node_roots":
    case "system":
      return rootFiles(source);
    case "path":
      return await pathFiles(source.path);
    case "object": {
      const outcome = await options.readObject!(source.object);
      if (outcome.t === "read") {
        return { files: outcome.files.map(({ name, content }) => ({ name, read: async () => content })), faults: [] };
      }
      const { kind, reason } = outcome;
      const roles = kind === "forbidden" ? [roleForObjects(source.object, objects, reason)] : [];
      return { files: [], faults: [{ file: nameOf(source), position: "", reason }], roles };
    }
  }
}

function rootFiles(source: TrustSource): SourceFiles {
  const name = source.t === "node_roots" ? nameOf(source) : findSystemBundle();
  if (name !== undefined) return { files: [fileAt(name)], faults: [] };
  const reason = `no bundle at ${SYSTEM_BUNDLES.join(", ")}: install ca-certificates, or take Node's roots`;
  return { files: [], faults: [{ file: nameOf(source), position: "", reason }] };
}

async function pathFiles(path: string): Promise<SourceFiles> {
  const failed = (reason: string) => ({ files: [], faults: [{ file: path, position: "", reason }] });
  try {
    if (!(await stat(path)).isDirectory()) return { files: [fileAt(path)], faults: [] };
    const names = (await readdir(path)).filter(isCertificateName);
    if (names.length > MAX_FOLDER_ENTRIES) return failed(`${names.length} files, more than ${MAX_FOLDER_ENTRIES}`);
    return { files: names.sort().map((name) => fileAt(join(path, name))), faults: [] };
  } catch (reason) {
    return failed(errorText(reason));
  }
}

function fileAt(path: string): SourceFile {
  return { name: path, read: () => readBounded(path) };
}

function nameOf(source: TrustSource): string {
  if (source.t === "path") return source.path;
  if (source.t === "object") return writeObjectSource(source.object);
  return source.t === "system" ? "the system's roots" : "Node's roots";
}
