import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import { errorText } from "../base/system-error.ts";
import type { BundlePart } from "./bundle.ts";
import { type FileRemark, type FoundCertificate, findCertificates } from "./certificate-file.ts";
import { readPem } from "./pem.ts";
import { findSystemBundle, SYSTEM_BUNDLES } from "./system-roots.ts";

/** A place to take certificates from. */
export type TrustSource =
  /** A file, or a folder whose files with the names of certificates are read; not those of its subfolders. */
  | { readonly t: "path"; readonly path: string }
  /** The bundle of the system that this program runs on. */
  | { readonly t: "system" }
  /** Mozilla's roots, as this Node was built with (`tls.rootCertificates`). */
  | { readonly t: "node_roots" };

/** How sources are read. */
export interface GatherOptions {
  /** Opens PKCS#12. */
  readonly password?: string;
  /** Most certificates of all sources together. Default 10,000. */
  readonly maxCertificates?: number;
}

/** Everything that the sources hold, or what is wrong with them. */
export interface Gathered {
  readonly parts: readonly BundlePart[];
  readonly errors: readonly FileRemark[];
  readonly warnings: readonly FileRemark[];
}

/** Names under which a folder's files are taken for certificates. */
const CERTIFICATE_FILE = /\.(pem|crt|cer|der|p7b|p7c|p7s|p12|pfx)$/i;

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
  let left = options.maxCertificates ?? DEFAULT_MAX_CERTIFICATES;
  for (const source of sources) {
    const certificates: FoundCertificate[] = [];
    const { files, faults } = await filesOf(source);
    errors.push(...faults);
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
    parts.push({ certificates, isSystem: source.t !== "path" });
  }
  return { parts, errors, warnings };
}

async function readSource(file: string, source: TrustSource, options: GatherOptions & { maxCertificates: number }) {
  if (source.t === "node_roots") return builtInRoots(file);
  const content = await readBounded(file);
  if (content.t === "read") return await findCertificates(file, content.bytes, options);
  return { t: "malformed" as const, fault: { file, position: "", reason: faultOf(content) } };
}

function builtInRoots(file: string) {
  const pem = readPem(Buffer.from(rootCertificates.join("\n"), "latin1"), DEFAULT_MAX_CERTIFICATES);
  const blocks = pem.t === "blocks" ? pem.blocks : [];
  const certificates = blocks.map(({ der }, index) => ({ der, file, position: `certificate ${index + 1}` }));
  return { t: "found" as const, certificates, remarks: [] };
}

async function filesOf(
  source: TrustSource,
): Promise<{ readonly files: readonly string[]; readonly faults: readonly FileRemark[] }> {
  if (source.t === "node_roots") return { files: [nameOf(source)], faults: [] };
  if (source.t === "system") {
    const bundle = findSystemBundle();
    if (bundle !== undefined) return { files: [bundle], faults: [] };
    const reason = `no bundle at ${SYSTEM_BUNDLES.join(", ")}: install ca-certificates, or take Node's roots`;
    return { files: [], faults: [{ file: nameOf(source), position: "", reason }] };
  }
  try {
    if (!(await stat(source.path)).isDirectory()) return { files: [source.path], faults: [] };
    const names = (await readdir(source.path)).filter((name) => !name.startsWith(".") && CERTIFICATE_FILE.test(name));
    if (names.length > MAX_FOLDER_ENTRIES) {
      const reason = `${names.length} files, more than ${MAX_FOLDER_ENTRIES}`;
      return { files: [], faults: [{ file: source.path, position: "", reason }] };
    }
    return { files: names.sort().map((name) => join(source.path, name)), faults: [] };
  } catch (reason) {
    return { files: [], faults: [{ file: source.path, position: "", reason: errorText(reason) }] };
  }
}

function nameOf(source: TrustSource): string {
  if (source.t === "path") return source.path;
  return source.t === "system" ? "the system's roots" : "Node's roots";
}
