import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsMaterial } from "./tls-material.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Read certificates and keys, and check that OpenSSL takes them together.
 *
 * Throws an Error that names the setting and the file; `section` is where the
 * settings stand, such as `tls`.
 */
export function readTlsFiles(section: string, files: TlsFiles, servername?: string): TlsMaterial {
  const read = (path: string | undefined): Buffer | undefined => {
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (cause) {
      throw new Error(`${section}: cannot read ${path}`, { cause });
    }
  };
  const ca = read(files.ca);
  const cert = read(files.cert);
  const key = read(files.key);
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  try {
    createSecureContext(material);
  } catch (cause) {
    const names = [files.ca, files.cert, files.key].filter((name) => name !== undefined).join(", ");
    throw new Error(`${section}: not usable together: ${names}`, { cause });
  }
  return { ...material, ...(servername !== undefined && { servername }) };
}
