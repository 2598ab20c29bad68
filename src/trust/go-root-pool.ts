import { X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import { readPem } from "../base/pem.ts";
import { SYSTEM_BUNDLES, SYSTEM_CERTIFICATE_DIRS } from "./system-roots.ts";

/** The authorities that one program trusts. */
export interface RootPool {
  readonly certificates: readonly X509Certificate[];
  /** Where they come from, for people: `SSL_CERT_FILE=/trust/ca.pem`. */
  readonly origin: string;
  /** What could not be read on the way. */
  readonly faults: readonly string[];
}

/** Most certificates of one pool. */
const MAX_CERTIFICATES = 10_000;

/** Most files of a folder that are read. */
const MAX_FOLDER_FILES = 5_000;

/** What decides where Go looks. */
export type GoTrustVariables = Readonly<Partial<Record<"SSL_CERT_FILE" | "SSL_CERT_DIR", string | undefined>>>;

/**
 * The system pool of a Go program that runs here with these variables, such as buildx or buildkitd.
 *
 * One file, from SSL_CERT_FILE or the first that is there, and all files of SSL_CERT_DIR, or else of the usual folders,
 * even where SSL_CERT_FILE is set (go/src/crypto/x509/root_unix.go, loadSystemRoots). Go passes over what it cannot read.
 */
export async function readGoRootPool(env: GoTrustVariables): Promise<RootPool> {
  const faults: string[] = [];
  const pool = new Map<string, X509Certificate>();
  const origins: string[] = [];
  const ownFile = env.SSL_CERT_FILE || undefined;
  for (const file of ownFile === undefined ? SYSTEM_BUNDLES : [ownFile]) {
    const outcome = await addFile(file, pool, ownFile === undefined ? [] : faults);
    if (!outcome) continue;
    origins.push(ownFile === undefined ? file : `SSL_CERT_FILE=${file}`);
    break;
  }
  const ownDirs = env.SSL_CERT_DIR || undefined;
  for (const dir of ownDirs?.split(":") ?? SYSTEM_CERTIFICATE_DIRS) {
    const names = await readdir(dir).catch(() => []);
    const before = pool.size;
    for (const name of names.slice(0, MAX_FOLDER_FILES)) await addFile(join(dir, name), pool, []);
    if (ownDirs !== undefined) origins.push(`SSL_CERT_DIR=${dir}`);
    else if (pool.size > before) origins.push(dir);
  }
  return { certificates: [...pool.values()], origin: origins.join(", ") || "no system roots", faults };
}

/** The PEM certificates of named files, as Go adds them to a pool: what is none is passed over. */
export async function readPemPool(files: readonly string[], origin: string): Promise<RootPool> {
  const faults: string[] = [];
  const pool = new Map<string, X509Certificate>();
  for (const file of files) await addFile(file, pool, faults);
  return { certificates: [...pool.values()], origin, faults };
}

async function addFile(file: string, pool: Map<string, X509Certificate>, faults: string[]): Promise<boolean> {
  const content = await readBounded(file);
  if (content.t !== "read") {
    faults.push(`${file}: ${faultOf(content)}`);
    return false;
  }
  const pem = readPem(content.bytes, MAX_CERTIFICATES);
  if (pem.t === "malformed") {
    faults.push(`${file}: line ${pem.line}: ${pem.reason}`);
    return true;
  }
  for (const { label, der } of pem.blocks) {
    if (label !== "CERTIFICATE" || pool.size === MAX_CERTIFICATES) continue;
    try {
      const x509 = new X509Certificate(der);
      pool.set(x509.fingerprint256, x509);
    } catch {
      // Passed over, as Go does.
    }
  }
  return true;
}
